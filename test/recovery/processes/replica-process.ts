import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { filter, firstValueFrom, ReplaySubject, timeout } from 'rxjs';
import type { ReplicaOrder, ReplicaTask, ReplicaWord } from './replica-words.js';

const script = fileURLToPath(new URL('replica.ts', import.meta.url));
const shiftDate = new URL('shift-date.mjs', import.meta.url).href;
const loader = import.meta.resolve?.('tsx') ?? 'tsx';
const PATIENCE_MS = 30_000;

type Word<K extends ReplicaWord['kind']> = Extract<ReplicaWord, { kind: K }>;

/** A real process with an application that tracks, which can be killed, stopped or kept from its database. */
export class ReplicaProcess {
  readonly #child: ChildProcess;
  readonly #words = new ReplaySubject<ReplicaWord>();
  readonly #exit: Promise<unknown>;
  #tasks = 0;
  #errors = '';

  /** @param options.clockAheadMs  how wrong its clock is. */
  constructor(order: ReplicaOrder, { clockAheadMs = 0 }: { clockAheadMs?: number } = {}) {
    this.#child = fork(script, [JSON.stringify(order)], {
      execArgv: [...(clockAheadMs === 0 ? [] : ['--import', shiftDate]), '--import', loader],
      env: { ...process.env, SHIFT_DATE_MS: String(clockAheadMs) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr!.on('data', (chunk) => (this.#errors += String(chunk)));
    this.#child.on('message', (word: ReplicaWord) => this.#words.next(word));
    this.#exit = once(this.#child, 'close').then(() =>
      this.#words.error(new Error(`The replica ended: ${this.#errors}`)),
    );
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with the first word of this kind that it says, or has said. */
  async word<K extends ReplicaWord['kind']>(
    kind: K,
    matches: (word: Word<K>) => boolean = () => true,
  ): Promise<Word<K>> {
    const wanted = this.#words.pipe(
      filter((word): word is Word<K> => word.kind === kind && matches(word as Word<K>)),
      timeout({ first: PATIENCE_MS }),
    );
    return firstValueFrom(wanted);
  }

  /** @returns the ids, in their order. */
  async start(task: Omit<ReplicaTask, 'task'>, { count = 1 }: { count?: number } = {}): Promise<string[]> {
    await this.word('ready');
    const ids: string[] = [];
    for (let left = count; left > 0; left--) {
      const number = this.#tasks++;
      this.#child.send({ ...task, task: number } satisfies ReplicaTask);
      ids.push((await this.word('started', (word) => word.task === number)).id);
    }
    return ids;
  }

  warnings(about: string): string[] {
    return this.#said('warning').flatMap(({ text }) => (text.includes(about) ? [text] : []));
  }

  aborted(): string[] {
    return this.#said('aborted').map(({ id }) => id);
  }

  /** Lets what waits come to its end. */
  letGo(): void {
    this.#child.send('let go');
  }

  /** As the machine does with one that gets no time. */
  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** As a deploy does. */
  async close(): Promise<void> {
    await this.word('ready');
    this.#child.send('close');
    await this.#exit;
  }

  #said<K extends ReplicaWord['kind']>(kind: K): Word<K>[] {
    const said: Word<K>[] = [];
    this.#words
      .subscribe({
        next: (word) => (word.kind === kind ? void said.push(word as Word<K>) : undefined),
        error: () => undefined,
      })
      .unsubscribe();
    return said;
  }
}
