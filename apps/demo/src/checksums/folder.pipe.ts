import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { BadRequestException, Inject, Injectable, type PipeTransform } from '@nestjs/common';
import { DEMO_SETTINGS, type DemoSettings } from '../demo.settings.js';
import type { ChecksumRequest } from './checksum-request.js';

/** Writes the folder as a path from the demo's root, and refuses what is outside it, also by way of a symbolic link. */
@Injectable()
export class FolderPipe implements PipeTransform<ChecksumRequest, Promise<ChecksumRequest>> {
  constructor(@Inject(DEMO_SETTINGS) private readonly settings: DemoSettings) {}

  /** @throws {BadRequestException} for what is outside, missing, or no folder. */
  async transform(request: ChecksumRequest): Promise<ChecksumRequest> {
    const root = await realpath(this.settings.root);
    const asked = resolve(root, request.folder);
    // Said before the file system is asked, which would tell what exists out there.
    if (!isWithin(root, asked)) throw new BadRequestException(outside(request.folder));
    const folder = await realpath(asked).catch(() => undefined);
    if (folder === undefined || !(await stat(folder)).isDirectory()) {
      throw new BadRequestException(`There is no folder "${request.folder}" in the one that the demo was started in.`);
    }
    if (!isWithin(root, folder)) throw new BadRequestException(outside(request.folder));
    return Object.assign(request, { folder: relative(root, folder).replaceAll(sep, '/') || '.' });
  }
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function outside(folder: string): string {
  return `The folder "${folder}" is outside the one that the demo was started in (DEMO_ROOT names another).`;
}
