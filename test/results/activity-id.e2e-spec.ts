import {
  BadRequestException,
  Catch,
  Controller,
  Get,
  Injectable,
  Sse,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TrackedActivity } from 'nestjs-activity';
import { of, type Observable } from 'rxjs';
import { closeApps } from '../support/tracked-app.js';
import { ask } from './http-client.js';
import { HTTP_KINDS, servedApp } from './served-app.js';

afterEach(closeApps);

@Catch(TypeError)
class TeapotFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}
  catch(_error: TypeError, host: ArgumentsHost): void {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { teapot: true }, 418);
  }
}

@Injectable()
class Inner {
  @TrackedActivity({ type: 'inner' })
  async work(): Promise<number> {
    return 1;
  }
}

@Controller()
class Handlers {
  constructor(private readonly inner: Inner) {}

  @Get('value')
  @TrackedActivity({ type: 'value' })
  async value() {
    return { inner: await this.inner.work() };
  }

  @Get('refused')
  @TrackedActivity({ type: 'refused' })
  async refused(): Promise<never> {
    throw new BadRequestException('no');
  }

  @Get('filtered')
  @UseFilters(TeapotFilter)
  @TrackedActivity({ type: 'filtered' })
  async filtered(): Promise<never> {
    throw new TypeError('no');
  }

  @Get('observed')
  @TrackedActivity({ type: 'observed' })
  observed(): Observable<string> {
    return of('a', 'b');
  }

  @Sse('events')
  @TrackedActivity({ type: 'events' })
  events(): Observable<string> {
    return of('a', 'b');
  }

  @Get('untracked')
  async untracked() {
    return { inner: await this.inner.work() };
  }

  @Get('limited')
  @TrackedActivity({ type: 'limited', limit: { key: 'one', max: 1 }, queueTimeout: 20 })
  async limited(): Promise<never> {
    throw new Error('not called');
  }
}

describe.each(HTTP_KINDS)('the header Activity-Id on %s', (_name, http) => {
  it.each([
    ['value', 200],
    ['refused', 400],
    ['filtered', 418],
    ['observed', 200],
    ['events', 200],
  ])('names the activity of the call: %s answers %d', async (path, status) => {
    const { url, probe } = await servedApp(http, { controllers: [Handlers], providers: [Inner] });
    const answer = await ask(`${url}/${path}`);
    expect(answer.status).toBe(status);
    const { id } = await probe.settled(path);
    expect(answer.headers['activity-id']).toBe(id);
  });

  it('is there when the activity has waited for a slot in vain, and only where the handler itself is tracked', async () => {
    const { url, probe, activities } = await servedApp(http, { controllers: [Handlers], providers: [Inner] });
    const holder = await activities.start({ type: 'holder', limit: { key: 'one', max: 1 } });
    const late = await ask(`${url}/limited`);
    expect(late.headers['activity-id']).toBe((await probe.settled('limited')).id);
    await holder.succeed();
    const untracked = await ask(`${url}/untracked`);
    expect(untracked.headers).not.toHaveProperty('activity-id');
  });
});
