import { Readable } from 'node:stream';
import {
  ClassSerializerInterceptor,
  Controller,
  Get,
  Inject,
  Injectable,
  RequestTimeoutException,
  StreamableFile,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Exclude } from 'class-transformer';
import { TrackedActivity, currentActivity } from 'nestjs-activity';
import {
  Observable,
  TimeoutError,
  VirtualTimeScheduler,
  catchError,
  defer,
  map,
  repeat,
  retry,
  throwError,
  timeout,
} from 'rxjs';
import { closeApps } from '../support/tracked-app.js';
import { ask } from './http-client.js';
import { Stage } from './scene.js';
import { HTTP_KINDS, servedApp } from './served-app.js';

afterEach(closeApps);

/** As in Nest's documentation, on a clock of its own, whose time comes when the work is half done. */
@Injectable()
class Impatient implements NestInterceptor {
  constructor(@Inject(Stage) private readonly stage: Stage) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const clock = new VirtualTimeScheduler();
    void this.stage.scene.half.promise.then(() => clock.flush());
    return next.handle().pipe(
      timeout(50, clock),
      catchError((error: unknown) =>
        throwError(() => (error instanceof TimeoutError ? new RequestTimeoutException() : error)),
      ),
    );
  }
}

class TriesAgain implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(retry(2));
  }
}

class Repeats implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(repeat(2));
  }
}

class InData implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map((value: unknown) => {
        if (value instanceof StreamableFile) return value;
        return { data: value };
      }),
    );
  }
}

class User {
  name = 'Ada';
  @Exclude()
  password = 'secret';
}

@Controller()
class Handlers {
  tries = 0;
  constructor(@Inject(Stage) private readonly stage: Stage) {}

  @Get('detached')
  @UseInterceptors(Impatient)
  @TrackedActivity({ type: 'detached' })
  async detached() {
    await this.stage.scene.work();
  }

  @Get('attached')
  @UseInterceptors(Impatient)
  @TrackedActivity({ type: 'attached', onDisconnect: 'cancel' })
  async attached() {
    await this.stage.scene.work();
  }

  @Get('observed')
  @UseInterceptors(Impatient)
  @TrackedActivity({ type: 'observed' })
  observed(): Observable<string> {
    const { scene } = this.stage;
    return new Observable<string>((subscriber) => {
      scene.run();
      scene.half.resolve();
      subscriber.add(scene.opened('subscription'));
    });
  }

  @Get('file-too-late')
  @UseInterceptors(Impatient)
  @TrackedActivity({ type: 'file-too-late' })
  async fileTooLate() {
    const { scene } = this.stage;
    await scene.work();
    const closed = scene.opened('stream');
    return new StreamableFile(
      new Readable({
        read() {},
        destroy(error, done) {
          closed();
          done(error);
        },
      }),
    );
  }

  @Get('tried-again')
  @UseInterceptors(TriesAgain)
  @TrackedActivity({ type: 'tried-again' })
  async triedAgain() {
    if (++this.tries < 3) throw new Error(`try ${this.tries}`);
    return { id: currentActivity().id };
  }

  @Get('observed-again')
  @UseInterceptors(TriesAgain)
  @TrackedActivity({ type: 'observed-again' })
  observedAgain(): Observable<object> {
    return defer(() => this.triesOnce());
  }

  @Get('repeated')
  @UseInterceptors(Repeats)
  @TrackedActivity({ type: 'repeated' })
  async repeated() {
    return { id: currentActivity().id };
  }

  @Get('user')
  @TrackedActivity({ type: 'user' })
  async user() {
    return new User();
  }

  @Get('file')
  @TrackedActivity({ type: 'file' })
  async file() {
    return new StreamableFile(Readable.from([Buffer.from([0, 255]), Buffer.from('{"a":1}')]));
  }

  private async triesOnce() {
    if (++this.tries < 2) throw new Error(`try ${this.tries}`);
    return { id: currentActivity().id };
  }
}

describe.each(HTTP_KINDS)('interceptors around a tracked handler on %s', (_name, http) => {
  const serve = async (...interceptors: (new (...args: never[]) => NestInterceptor)[]) => {
    const served = await servedApp(http, {
      controllers: [Handlers],
      providers: [Stage, ...interceptors.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass }))],
    });
    return { ...served, stage: served.get(Stage) };
  };

  it('[C31] one that stops waiting answers 408; the work goes on, and its record ends as the work does', async () => {
    const { url, probe, stage } = await serve();
    const scene = stage.begin('well');
    expect(await ask(`${url}/detached`)).toMatchObject({ status: 408 });
    const { id } = await probe.started('detached');
    expect(await probe.row(id)).toMatchObject({ status: 'running' });
    scene.goOn.resolve();
    expect(await probe.settled(id)).toMatchObject({ status: 'succeeded', reason: null });
    expect(probe.count('settled')).toBe(1);
  });

  it("[C31] … and is cancelled with it where `onDisconnect` is 'cancel'", async () => {
    const { url, probe, stage } = await serve();
    stage.begin('well');
    expect(await ask(`${url}/attached`)).toMatchObject({ status: 408 });
    expect(await probe.settled('attached')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    expect(probe.count('settled')).toBe(1);
  });

  it('an Observable that is no longer waited for is unsubscribed, and a file that comes too late is closed', async () => {
    const { url, probe, stage } = await serve();
    const observed = stage.begin('well');
    expect(await ask(`${url}/observed`)).toMatchObject({ status: 408 });
    expect(await probe.settled('observed')).toMatchObject({ status: 'cancelled', reason: 'client_disconnected' });
    await observed.whenClosed();
    expect(observed.runs).toBe(1);
    const late = stage.begin('well');
    expect(await ask(`${url}/file-too-late`)).toMatchObject({ status: 408 });
    late.goOn.resolve();
    expect(await probe.settled('file-too-late')).toMatchObject({ status: 'succeeded', warningCount: 1 });
    await late.whenClosed();
  });

  it('one that tries again makes an activity of each try; the answer names the last', async () => {
    const { url, probe, get } = await serve();
    const tried = await ask(`${url}/tried-again`);
    get(Handlers).tries = 0;
    const observed = await ask(`${url}/observed-again`);
    const repeated = await ask(`${url}/repeated`);
    const rows = await probe.rows();
    expect(rows.map(({ type, status }) => `${type}: ${status}`)).toEqual([
      'tried-again: failed',
      'tried-again: failed',
      'tried-again: succeeded',
      'observed-again: failed',
      'observed-again: succeeded',
      'repeated: succeeded',
      'repeated: succeeded',
    ]);
    const answers = [tried, observed, repeated];
    const last = [rows[2]!.id, rows[4]!.id, rows[6]!.id];
    expect(answers.map(({ headers }) => headers['activity-id'])).toEqual(last);
    expect(answers.map(({ body }) => (JSON.parse(body) as { id: string }).id)).toEqual(last);
  });

  it('[C32] that shape answers do so once, and leave the bytes of a stream alone', async () => {
    const { url, probe } = await serve(InData, ClassSerializerInterceptor);
    expect(JSON.parse((await ask(`${url}/user`)).body)).toEqual({ data: { name: 'Ada' } });
    const bytes = Buffer.from(await (await fetch(`${url}/file`)).arrayBuffer());
    expect(bytes).toEqual(Buffer.concat([Buffer.from([0, 255]), Buffer.from('{"a":1}')]));
    await probe.settled('file');
    expect((await probe.rows()).map(({ type, status }) => [type, status])).toEqual([
      ['user', 'succeeded'],
      ['file', 'succeeded'],
    ]);
  });
});
