import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, repository } from './demo-process.js';
import { until } from './until.js';

/** A shell in the repository's folder, as a reader of the README has one: variables and background calls live on. */
export class Shell {
  readonly #child: ChildProcess = spawn('sh', { cwd: repository, stdio: ['pipe', 'ignore', 'ignore'] });
  readonly #folder = folder();
  #commands = 0;

  /** @returns what it has printed; a call in the background may print more, read by `printed`. */
  async run(command: string): Promise<{ number: number; text: string }> {
    const number = ++this.#commands;
    const done = join(this.#folder, `done-${number}`);
    this.#child.stdin!.write(`{ ${command}\n} > ${this.#file(number)} 2>&1\ntouch ${done}\n`);
    await until(`the end of ${command}`, () => existsSync(done) || undefined);
    return { number, text: this.printed(number) };
  }

  printed(number: number): string {
    return readFileSync(this.#file(number), 'utf8');
  }

  close(): void {
    this.#child.kill();
  }

  #file(number: number): string {
    return join(this.#folder, `printed-${number}`);
  }
}
