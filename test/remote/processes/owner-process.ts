import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ActivityOptions } from 'nestjs-activity';
import { filter, firstValueFrom, map, ReplaySubject, skip, timeout } from 'rxjs';
import type { OwnerOrder, OwnerTask, OwnerWord } from './owner.js';

const PATIENCE_MS = 20_000;
const script = fileURLToPath(new URL('owner.ts', import.meta.url));
const loader = import.meta.resolve?.('tsx') ?? 'tsx';
const open: OwnerProcess[] = [];

type WordOf<Kind extends OwnerWord['kind']> = Extract<OwnerWord, { kind: Kind }>;

/** A real process that runs activities as it is told, and says what becomes of them. */
export class OwnerProcess {
  readonly #child: ChildProcess;
  readonly #words = new ReplaySubject<OwnerWord>();
  readonly exit: Promise<unknown>;

  constructor(order: OwnerOrder) {
    this.#child = fork(script, [JSON.stringify(order)], {
      execArgv: ['--import', loader],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let errors = '';
    this.#child.stderr!.on('data', (chunk) => (errors += String(chunk)));
    this.#child.on('message', (word: OwnerWord) => this.#words.next(word));
    this.exit = once(this.#child, 'close').then(() => this.#words.error(new Error(`The process ended: ${errors}`)));
    open.push(this);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Begins an activity; resolves when its body is called or, with `kind: 'queued'`, when it waits. @returns its id. */
  async run(options: ActivityOptions, { kind = 'running', isDeaf = false }: RunOptions = {}): Promise<string> {
    this.#tell({ do: 'run', options, isDeaf });
    return (await this.#heard(kind, ({ type }) => type === options.type)).id;
  }

  end(id: string, result: string): void {
    this.#tell({ do: 'end', id, result });
  }

  /** What its caller was told when it was stopped. */
  stopped(id: string): Promise<WordOf<'stopped'>> {
    return this.#heard('stopped', (word) => word.id === id);
  }

  /** Resolves when it has begun to hear others so many times; at once, where it has no bus. */
  async connected(times = 1): Promise<void> {
    const words = this.#words.pipe(
      filter((word) => word.kind === 'connected' && word.isConnected !== false),
      skip(times - 1),
      timeout({ first: PATIENCE_MS }),
    );
    await firstValueFrom(words);
  }

  async close(): Promise<void> {
    if (this.isAlive) this.#tell({ do: 'close' });
    await this.exit;
  }

  #tell(task: OwnerTask): void {
    this.#child.send(task);
  }

  #heard<Kind extends OwnerWord['kind']>(kind: Kind, matches: (word: WordOf<Kind>) => boolean): Promise<WordOf<Kind>> {
    const words = this.#words.pipe(
      filter((word) => word.kind === kind),
      map((word) => word as WordOf<Kind>),
      filter(matches),
      timeout({ first: PATIENCE_MS }),
    );
    return firstValueFrom(words);
  }
}

interface RunOptions {
  kind?: 'running' | 'queued';
  isDeaf?: boolean;
}

/** For `afterEach`. */
export async function closeOwners(): Promise<void> {
  for (const owner of open.splice(0)) await owner.close();
}
