import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DataSourceOptions } from 'typeorm';

export interface BootOrder {
  options: DataSourceOptions;
}
export interface BootAnswer {
  ok: boolean;
  error?: string;
}

/** Real processes that each open a store on the same database, all at the same moment. */
export class BootProcesses {
  readonly #children: ChildProcess[];
  readonly #ready: Promise<unknown>;

  constructor(count: number) {
    const script = fileURLToPath(new URL('boot.ts', import.meta.url));
    this.#children = Array.from({ length: count }, () => fork(script, { execArgv: ['--import', 'tsx'] }));
    this.#ready = Promise.all(this.#children.map((child) => once(child, 'message')));
  }

  async bootOn(options: DataSourceOptions): Promise<BootAnswer[]> {
    await this.#ready;
    const answers = this.#children.map((child) => once(child, 'message') as Promise<[BootAnswer]>);
    for (const child of this.#children) child.send({ options } satisfies BootOrder);
    return (await Promise.all(answers)).map(([answer]) => answer);
  }

  async end(): Promise<void> {
    const living = this.#children.filter((child) => child.exitCode === null);
    const ended = living.map((child) => once(child, 'exit'));
    for (const child of living) child.kill();
    await Promise.all(ended);
  }
}
