import { resolve } from 'node:path';

/** What the environment can change. */
export interface DemoSettings {
  /** `PORT`, default 3000; 0 takes a free one. */
  port: number;
  /** `DEMO_DATABASE`, a SQLite file. Default `demo.db` in the working directory. */
  database: string;
  /** `DEMO_ROOT`: nothing outside this folder is read. Default: the working directory. */
  root: string;
}

export const DEMO_SETTINGS = Symbol('DemoSettings');

/** A setting or circumstance that the reader of the terminal can mend: its message is all that is printed. */
export class DemoStartError extends Error {}

/** @throws {DemoStartError} naming the variable and what is allowed. */
export function readSettings(environment: NodeJS.ProcessEnv): DemoSettings {
  const port = Number(environment.PORT || 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new DemoStartError(`PORT is "${environment.PORT}": it must be a number from 0 to 65535.`);
  }
  return {
    port,
    database: resolve(environment.DEMO_DATABASE || 'demo.db'),
    root: resolve(environment.DEMO_ROOT || '.'),
  };
}
