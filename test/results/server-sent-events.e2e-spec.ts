import {
  BadRequestException,
  Catch,
  Controller,
  HttpException,
  Inject,
  Injectable,
  NotFoundException,
  Param,
  ParseIntPipe,
  Sse,
  SseSignal,
  UseGuards,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { TrackedActivity } from 'nestjs-activity';
import { NEVER, Observable, concat, of, throwError } from 'rxjs';
import { closeApps } from '../support/tracked-app.js';
import { ask, ClientCall } from './http-client.js';
import { Scene, Stage } from './scene.js';
import { HTTP_KINDS, servedApp } from './served-app.js';

afterEach(closeApps);

@Controller()
class Events {
  constructor(@Inject(Stage) private readonly stage: Stage) {}

  @Sse('set-up')
  @TrackedActivity({ type: 'set-up' })
  async setUp(@SseSignal() signal: AbortSignal): Promise<Observable<string>> {
    const { scene } = this.stage;
    scene.run();
    signal.addEventListener('abort', scene.opened('signal'), { once: true });
    await scene.pause();
    return subscribed(scene, of('one', 'two'));
  }

  @Sse('silent')
  @TrackedActivity({ type: 'silent' })
  silent(): Observable<string> {
    this.stage.scene.run();
    return subscribed(this.stage.scene, NEVER);
  }

  @Sse('fails-late')
  @TrackedActivity({ type: 'fails-late' })
  failsLate(): Observable<string> {
    return concat(
      of('one', 'two'),
      throwError(() => new BadRequestException('third')),
    );
  }

  @Sse('fails-at-once')
  @TrackedActivity({ type: 'fails-at-once' })
  failsAtOnce(): Observable<string> {
    return throwError(() => new BadRequestException('first'));
  }

  @Sse('missing/:id')
  @TrackedActivity({ type: 'missing' })
  async missing(@Param('id', ParseIntPipe) id: number): Promise<Observable<number>> {
    await this.stage.scene.pause();
    throw new NotFoundException(`no ${id}`);
  }

  @Sse('forbidden')
  @UseGuards({ canActivate: () => false })
  @TrackedActivity({ type: 'forbidden' })
  forbidden(): Observable<number> {
    return of(1);
  }
}

/** As many apps have one: it sets a status, whatever has been sent. */
@Catch()
@Injectable()
class AnswerEverything implements ExceptionFilter {
  static readonly seen: string[] = [];
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(error: Error, host: ArgumentsHost): void {
    AnswerEverything.seen.push(error.message);
    const { httpAdapter } = this.host;
    const status = error instanceof HttpException ? error.getStatus() : 500;
    httpAdapter.reply(host.switchToHttp().getResponse(), { filtered: error.message }, status);
  }
}

describe.each(HTTP_KINDS)('an @Sse() handler on %s', (_name, http) => {
  const serve = async () => {
    const served = await servedApp(http, {
      controllers: [Events],
      providers: [Stage, { provide: APP_FILTER, useClass: AnswerEverything }],
    });
    return { ...served, stage: served.get(Stage) };
  };

  it('[C22] whose client leaves during its set-up is called once, subscribes nothing, and ends', async () => {
    const { url, probe, stage, whenClientsAreGone } = await serve();
    const scene = stage.begin('left');
    const call = new ClientCall(`${url}/set-up`);
    await scene.half.promise;
    const gone = whenClientsAreGone();
    call.leave();
    await gone;
    scene.goOn.resolve();
    expect(await probe.settled('set-up')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    await scene.whenClosed();
    expect(scene.runs).toBe(1);
    // And with a client that stays, the same handler is called once, too.
    const other = stage.begin('well');
    other.goOn.resolve();
    const { body } = await ask(`${url}/set-up`);
    expect(body).toContain('data: two');
    await other.whenClosed();
    expect(other.runs).toBe(1);
    expect((await probe.rows()).map(({ status }) => status)).toEqual(['cancelled', 'succeeded']);
  });

  it('[C26] that fails after its second event ends with an event `error`; the filter is not asked', async () => {
    const { url, probe, log } = await serve();
    AnswerEverything.seen.length = 0;
    const answer = await ask(`${url}/fails-late`);
    expect(answer).toMatchObject({ status: 200, end: 'complete' });
    expect(answer.body).toMatch(/data: one\n.*data: two\n.*event: error\n.*data: third\n\n$/s);
    expect(await probe.settled('fails-late')).toMatchObject({
      status: 'failed',
      reason: 'error',
      error: { message: 'third' },
    });
    expect(AnswerEverything.seen).toEqual([]);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('[C34] answers what goes wrong before the first event with its status, not with a stream', async () => {
    const { url, probe, stage } = await serve();
    const answers = [await ask(`${url}/fails-at-once`)];
    stage.begin('well').goOn.resolve();
    answers.push(await ask(`${url}/missing/7`), await ask(`${url}/missing/seven`), await ask(`${url}/forbidden`));
    expect(answers.map(({ status }) => status)).toEqual([400, 404, 400, 403]);
    for (const { headers, body } of answers) {
      expect(headers['content-type']).toContain('application/json');
      expect(JSON.parse(body)).toHaveProperty('filtered');
    }
    // What a pipe or a guard refuses leaves no row.
    expect((await probe.rows()).map(({ type, status }) => [type, status])).toEqual([
      ['fails-at-once', 'failed'],
      ['missing', 'failed'],
    ]);
  });

  it('that is silent sends its head when it has been subscribed, and ends with its client', async () => {
    const { url, probe, stage } = await serve();
    const scene = stage.begin('left');
    const call = new ClientCall(`${url}/silent`);
    const head = await call.answered;
    const { id } = await probe.started('silent');
    expect(head.headers).toMatchObject({ 'content-type': 'text/event-stream', 'activity-id': id });
    expect(scene.open.size).toBe(1);
    call.leave();
    expect(await probe.settled(id)).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    await scene.whenClosed();
    expect(scene.runs).toBe(1);
  });
});

function subscribed<T>(scene: Scene, source: Observable<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const closed = scene.opened('subscription');
    const subscription = source.subscribe(subscriber);
    return () => {
      subscription.unsubscribe();
      closed();
    };
  });
}
