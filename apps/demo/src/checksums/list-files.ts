import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface ListOptions {
  signal: AbortSignal;
  /** Told of folders that cannot be read; they are left out. */
  unreadable: (path: string, error: Error) => void;
}

/**
 * All plain files below a folder, sorted by name; symbolic links are not followed.
 * @returns paths from the folder, with slashes.
 * @throws the signal's reason.
 */
export async function listFiles(
  root: string,
  { signal, unreadable }: ListOptions,
): Promise<{ files: string[]; folders: number }> {
  const files: string[] = [];
  const waiting = [''];
  let folders = 0;
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    signal.throwIfAborted();
    const path = folder;
    const entries = await readdir(join(root, path), { withFileTypes: true }).catch((error: Error) => {
      unreadable(path || '.', error);
      return [];
    });
    folders++;
    for (const entry of entries) {
      const name = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) waiting.push(name);
      else if (entry.isFile()) files.push(name);
    }
  }
  return { files: files.toSorted(), folders };
}
