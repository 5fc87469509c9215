import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WorkerFigures, WorkerOrder, WorkerWord } from './worker.js';

const script = fileURLToPath(new URL('worker.ts', import.meta.url));
const loader = import.meta.resolve?.('tsx') ?? 'tsx';

/** A real process whose callers start activities, write lines and settle them, with all that it was promised. */
export class WorkerProcess {
  readonly started = new Set<string>();
  /** The last line of each that had resolved. */
  readonly lines = new Map<string, number>();
  readonly ended = new Set<string>();
  readonly #ready: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #figures: WorkerFigures | undefined;
  #errors = '';

  constructor(order: WorkerOrder) {
    this.#child = fork(script, [JSON.stringify(order)], {
      execArgv: ['--import', loader],
      serialization: 'json',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr!.on('data', (chunk) => (this.#errors += String(chunk)));
    // After `exit`, what it had said may still be on its way: `close` comes when its channel is empty.
    this.#exit = once(this.#child, 'close');
    this.#ready = Promise.race([once(this.#child, 'message'), this.#exit.then(() => this.#fail())]);
    this.#child.on('message', (word: WorkerWord) => this.#hear(word));
  }

  /** Lets its callers begin. */
  async begin(): Promise<void> {
    await this.#ready;
    this.#child.send('go');
  }

  /** As a crash: SIGKILL. Resolves when it is gone, and all that it had said is known. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** Lets its callers end, and what waits be written. */
  async stop(): Promise<WorkerFigures> {
    this.#child.send('stop');
    await this.#exit;
    return this.#figures ?? this.#fail();
  }

  #hear(word: WorkerWord): void {
    if (word.kind === 's') this.started.add(word.id);
    if (word.kind === 'l') this.lines.set(word.id, word.seq);
    if (word.kind === 'e') this.ended.add(word.id);
    if (word.kind === 'figures') this.#figures = word.figures;
  }

  #fail(): never {
    throw new Error(`The worker ended: ${this.#errors}`);
  }
}
