import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import type { ActivityContext } from 'nestjs-activity';
import { DEMO_SETTINGS, type DemoSettings } from '../demo.settings.js';
import { grouped } from '../grouped.js';
import type { ChecksumRequest } from './checksum-request.js';
import { hashFile, type HashedFile } from './hash-file.js';
import { listFiles } from './list-files.js';
import { Pace } from './pace.js';
import { eachAtOnce } from './each-at-once.js';

const AT_ONCE = 8;
const LOG_EVERY = 1_000;

export interface Checksum {
  files: number;
  bytes: number;
  /** What `find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum` prints in the folder. */
  digest: string;
  unreadable: number;
  seconds: number;
  filesPerSecond: number;
}

/** Hashes a folder as an activity: two weighted steps, progress by files, a line for each thousand, a warning for each unreadable one. */
@Injectable()
export class FolderChecksum {
  constructor(@Inject(DEMO_SETTINGS) private readonly settings: DemoSettings) {}

  /** @throws the signal's reason, within the time that a few reads take. */
  async of({ folder, filesPerSecond }: ChecksumRequest, activity: ActivityContext): Promise<Checksum> {
    const root = join(this.settings.root, folder);
    const unreadable = (path: string, error: Error): void =>
      activity.log.warn(`${path} cannot be read: ${reasonOf(error)}`);

    activity.steps([
      { name: 'listing', weight: 5 },
      { name: 'hashing', weight: 95 },
    ]);
    activity.step('listing');
    const { files, folders } = await listFiles(root, { signal: activity.signal, unreadable });
    activity.log.info(`${grouped(files.length)} files in ${grouped(folders)} folders`);

    const total = files.length;
    activity.step('hashing', { total, unit: 'files' });
    const pace = new Pace(filesPerSecond);
    const hashes: (HashedFile | undefined)[] = Array.from({ length: total });
    let done = 0;
    const hashOne = async (path: string, index: number): Promise<void> => {
      await pace.wait(activity);
      hashes[index] = await hashFile(join(root, path), activity.signal).catch((error: Error) => {
        activity.throwIfCancelled();
        unreadable(path, error);
        return undefined;
      });
      activity.progress({ current: ++done });
      if (done % LOG_EVERY !== 0) return;
      activity.log.info(`${grouped(done)} of ${grouped(total)} files, ${grouped(pace.perSecond(done))} a second`);
      activity.metadata.merge({ filesPerSecond: pace.perSecond(done) });
    };
    try {
      await eachAtOnce(files, AT_ONCE, hashOne);
    } finally {
      activity.metadata.merge({ filesPerSecond: pace.perSecond(done) });
      if (done < total) activity.log.info(`stopped after ${grouped(done)} of ${grouped(total)} files`);
    }
    const result = { ...summary(files, hashes), seconds: pace.seconds, filesPerSecond: pace.perSecond(done) };
    activity.log.success(`${grouped(total)} files, ${grouped(result.bytes / 1e6)} MB, in ${result.seconds} s`);
    return result;
  }
}

function summary(
  files: readonly string[],
  hashes: readonly (HashedFile | undefined)[],
): Pick<Checksum, 'files' | 'bytes' | 'digest' | 'unreadable'> {
  const digest = createHash('sha256');
  let [bytes, unreadable] = [0, 0];
  for (const [index, path] of files.entries()) {
    const hashed = hashes[index];
    if (!hashed) {
      unreadable++;
      continue;
    }
    digest.update(`${hashed.sha256}  ./${path}\n`);
    bytes += hashed.bytes;
  }
  return { files: files.length, bytes, digest: digest.digest('hex'), unreadable };
}

/** `EACCES: permission denied`, without the absolute path that Node adds. */
function reasonOf(error: Error): string {
  return error.message.split(',')[0]!;
}
