// `npm run check`: every check, also after one has failed, so that one run tells all there is to mend.
import { spawnSync } from 'node:child_process';
import { build } from './build.mjs';
import { installWhenNeeded } from './dependencies.mjs';
import { root } from './root.mjs';

const CHECKS = ['typecheck', 'lint', 'format:check', 'check:architecture', 'check:unused', 'check:package'];

installWhenNeeded();
// The demo is compiled here against the built package, which the type check's `paths` would not show.
await build();

const failed = CHECKS.filter((check) => {
  console.log(`\n> ${check}`);
  const { status } = spawnSync(`npm run --silent ${check}`, {
    cwd: root,
    stdio: 'inherit',
    shell: true,
  });
  return status !== 0;
});

if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}`);
  process.exitCode = 1;
} else {
  console.log(`\nAll ${CHECKS.length} checks passed.`);
}
