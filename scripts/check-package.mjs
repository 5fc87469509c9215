// `npm run check:package`: packs what would be published and looks at it as a stranger's tools would.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './root.mjs';

await build(['library']);

const directory = mkdtempSync(join(tmpdir(), 'activity-package-'));
try {
  const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]);
  const [{ filename, files, size }] = Object.values(JSON.parse(packed.stdout));
  console.log(`${filename}: ${files.length} files, ${Math.round(size / 1024)} kB`);

  const tarball = join(directory, filename);
  const passed = [
    run('publint', ['run', tarball, '--strict'], 'inherit'),
    run('attw', [tarball, '--profile', 'esm-only'], 'inherit'),
  ].every(({ status }) => status === 0);
  process.exitCode = passed ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** `npm run` has put the tools of `node_modules/.bin` on the path. */
function run(command, args, stdio = ['ignore', 'pipe', 'inherit']) {
  return spawnSync(command, args, {
    cwd: root,
    stdio,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
}
