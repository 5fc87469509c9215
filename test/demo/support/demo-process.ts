import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.js';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
/** Where `node_modules` really is: a checkout may borrow another's by a link, which the demo rightly does not follow. */
const rootOfNodeModules = dirname(realpathSync(join(repository, 'node_modules')));
const main = join(repository, 'dist/apps/demo/main.js');

export interface StartOptions {
  /** `DEMO_ROOT`. Default: the folder of `node_modules`. */
  root?: string;
  port?: number;
  /** Default: one of its own. */
  database?: string;
}

const open = new Set<DemoProcess>();
const folders: string[] = [];

/** The built demo as `npm start` runs it, on a database and port of its own. */
export class DemoProcess {
  output = '';
  errors = '';
  readonly database: string;
  /** Where it puts uploads. */
  readonly temporary = folder();
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor({ root = rootOfNodeModules, port = 0, database = join(folder(), 'demo.db') }: StartOptions = {}) {
    this.database = database;
    if (!existsSync(main)) throw new Error(`${main} is not there: run \`npm run build\` first.`);
    const environment = {
      ...process.env,
      PORT: String(port),
      DEMO_DATABASE: database,
      DEMO_ROOT: root,
      TMPDIR: this.temporary,
    };
    this.#child = spawn(process.execPath, [main], { cwd: folder(), env: { ...environment, NODE_OPTIONS: '' } });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
    this.#exited = once(this.#child, 'close');
    open.add(this);
  }

  static async start(options?: StartOptions): Promise<DemoProcess> {
    const demo = new DemoProcess(options);
    await until('the demo to start', () => {
      if (demo.#child.exitCode !== null) throw new Error(`the demo ended: ${demo.errors}`);
      return /^Ctrl\+C stops it/m.test(demo.output) || undefined;
    });
    return demo;
  }

  get url(): string {
    return /^ +API +(\S+)/m.exec(this.output)![1]!;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** @returns its exit code, null when a signal ended it. */
  async exit(): Promise<number | null> {
    await this.#exited;
    open.delete(this);
    return this.#child.exitCode;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.exit();
  }
}

export function folder(): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'nestjs-activity-demo-'));
  folders.push(path);
  return path;
}

/** For `afterAll`. */
export async function stopDemos(): Promise<void> {
  await Promise.all([...open].map((demo) => demo.stop()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
}
