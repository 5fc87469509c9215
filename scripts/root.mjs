import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository's folder, so that a script works from wherever it is called. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** True in the module that was started, false in one that was imported. */
export function isEntryPoint(moduleUrl) {
  return fileURLToPath(moduleUrl) === realpathSync(process.argv[1] ?? '.');
}
