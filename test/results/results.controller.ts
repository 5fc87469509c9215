import { Readable, pipeline } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import {
  Controller,
  Get,
  HttpCode,
  Inject,
  Redirect,
  Render,
  Res,
  Sse,
  SseSignal,
  StreamableFile,
} from '@nestjs/common';
import { TrackedActivity } from 'nestjs-activity';
import { EMPTY, Observable, defer, from, switchMap } from 'rxjs';
import { Stage, type Scene } from './scene.js';

/** What `@Res()` gives, as far as both frameworks agree: Fastify's has Node's own in `raw`. */
interface AnyResponse {
  raw?: NodeJS.WritableStream;
  write(text: string): void;
  end(text?: string): void;
}

/** A handler for each row of the table, named as its kind. */
@Controller()
export class ResultsController {
  constructor(@Inject(Stage) private readonly stage: Stage) {}

  private begin(): Scene {
    const { scene } = this.stage;
    scene.run();
    return scene;
  }

  @Get('value')
  @TrackedActivity({ type: 'value' })
  async value() {
    await this.begin().work();
    return { one: 1, two: 2 };
  }

  @Get('thenable')
  @TrackedActivity({ type: 'thenable' })
  thenable(): PromiseLike<unknown> {
    const { stage } = this;
    // As the query builders of some libraries do: each `then` is an execution.
    return {
      // oxlint-disable-next-line unicorn/no-thenable
      then: (resolve, reject) => {
        stage.scene.run();
        return stage.scene
          .work()
          .then(() => ({ one: 1, two: 2 }))
          .then(resolve, reject);
      },
    };
  }

  @Get('nothing')
  @TrackedActivity({ type: 'nothing' })
  async nothing() {
    await this.begin().work();
  }

  @Get('no-content')
  @HttpCode(204)
  @TrackedActivity({ type: 'no-content' })
  async noContent() {
    await this.begin().work();
  }

  @Get('observable')
  @TrackedActivity({ type: 'observable' })
  observable(): Observable<string> {
    return values(this.begin());
  }

  @Get('promised-observable')
  @TrackedActivity({ type: 'promised-observable' })
  async promisedObservable(): Promise<Observable<string>> {
    return values(this.begin());
  }

  @Get('empty-observable')
  @TrackedActivity({ type: 'empty-observable' })
  emptyObservable(): Observable<string> {
    const scene = this.begin();
    return defer(() => scene.work()).pipe(switchMap(() => EMPTY));
  }

  @Get('generator')
  @TrackedActivity({ type: 'generator' })
  async generator(): Promise<AsyncGenerator<string>> {
    const scene = this.begin();
    await scene.work();
    return chunks(scene);
  }

  @Get('iterable')
  @TrackedActivity({ type: 'iterable' })
  async iterable(): Promise<AsyncIterable<string>> {
    const scene = this.begin();
    await scene.work();
    return { [Symbol.asyncIterator]: () => ({ next: () => chunks(scene).next() }) };
  }

  @Get('node-stream')
  @TrackedActivity({ type: 'node-stream' })
  async nodeStream(): Promise<Readable> {
    return nodeStream(this.begin());
  }

  @Get('file')
  @TrackedActivity({ type: 'file' })
  async file(): Promise<StreamableFile> {
    return new StreamableFile(nodeStream(this.begin()), { type: 'text/plain' });
  }

  @Get('file-of-generator')
  @TrackedActivity({ type: 'file-of-generator' })
  async fileOfGenerator(): Promise<StreamableFile> {
    return new StreamableFile(Readable.from(chunks(this.begin())), { type: 'text/plain' });
  }

  @Get('web-stream')
  @TrackedActivity({ type: 'web-stream' })
  async webStream(): Promise<ReadableStream> {
    return webStream(this.begin());
  }

  @Sse('events')
  @TrackedActivity({ type: 'events' })
  events(): Observable<string> {
    return values(this.begin());
  }

  @Sse('promised-events')
  @TrackedActivity({ type: 'promised-events' })
  async promisedEvents(@SseSignal() signal: AbortSignal): Promise<Observable<string>> {
    const scene = this.begin();
    signal.addEventListener('abort', scene.opened('signal'), { once: true });
    return values(scene);
  }

  @Get('response')
  @TrackedActivity({ type: 'response' })
  async response(@Res() response: AnyResponse) {
    const scene = this.begin();
    const raw = (response.raw ?? response) as AnyResponse;
    raw.write('one ');
    await scene.work();
    raw.end('two');
  }

  @Get('response-after-return')
  @TrackedActivity({ type: 'response-after-return' })
  async responseAfterReturn(@Res() response: AnyResponse) {
    const raw = (response.raw ?? response) as NodeJS.WritableStream;
    const source = nodeStream(this.begin());
    // What goes wrong ends the answer, and a client that leaves closes the stream.
    pipeline(source, raw, () => undefined);
  }

  @Get('passthrough')
  @TrackedActivity({ type: 'passthrough' })
  async passthrough(@Res({ passthrough: true }) response: { header(name: string, value: string): void }) {
    response.header('x-own', 'yes');
    await this.begin().work();
    return { one: 1, two: 2 };
  }

  @Get('redirect')
  @Redirect('/elsewhere', 303)
  @TrackedActivity({ type: 'redirect' })
  async redirect() {
    await this.begin().work();
  }

  @Get('view')
  @Render('page')
  @TrackedActivity({ type: 'view' })
  async view() {
    await this.begin().work();
    return { title: 'one two' };
  }
}

async function* chunks(scene: Scene): AsyncGenerator<string> {
  const closed = scene.opened('generator');
  try {
    yield 'one ';
    await scene.work();
    yield 'two';
  } finally {
    closed();
  }
}

function values(scene: Scene): Observable<string> {
  return new Observable<string>((subscriber) => {
    const closed = scene.opened('subscription');
    subscriber.next('one');
    const rest = from(scene.pause()).subscribe({
      next: () => {
        subscriber.next('two');
        subscriber.complete();
      },
      error: (error: unknown) => subscriber.error(error),
    });
    return () => {
      rest.unsubscribe();
      closed();
    };
  });
}

/** A stream that knows nothing of activities, as the ones of files and sockets are. */
function nodeStream(scene: Scene): Readable {
  let asked = 0;
  const closed = scene.opened('stream');
  return new Readable({
    read() {
      if (asked++ === 0) {
        this.push('one ');
        void pushRest(this, scene);
      }
    },
    destroy(error, callback) {
      closed();
      callback(error);
    },
  });
}

async function pushRest(stream: Readable, scene: Scene): Promise<void> {
  try {
    await scene.pause();
    stream.push('two');
    stream.push(null);
  } catch (error) {
    stream.destroy(error as Error);
  }
}

function webStream(scene: Scene): ReadableStream<Uint8Array> {
  const closed = scene.opened('web stream');
  const encoder = new TextEncoder();
  let asked = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (asked++ === 0) return controller.enqueue(encoder.encode('one '));
        try {
          await scene.pause();
        } catch (error) {
          closed();
          throw error;
        }
        // What is cancelled meanwhile takes nothing more.
        if (!scene.open.has('web stream')) return;
        controller.enqueue(encoder.encode('two'));
        controller.close();
        closed();
      },
      cancel: () => closed(),
    },
    { highWaterMark: 0 },
  );
}
