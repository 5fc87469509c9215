import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { root, isEntryPoint } from './root.mjs';

const SETTINGS = ['package.json', 'package-lock.json', 'nest-cli.json', 'tsconfig.json'];
const LIBRARY = ['libs/activity/src', 'libs/activity/tsconfig.lib.json'];

/** In the order they need each other: the demo is compiled against the built library. */
const PROJECTS = {
  library: {
    name: 'activity',
    output: 'dist/libs/activity',
    inputs: [...SETTINGS, ...LIBRARY],
  },
  demo: {
    name: 'demo',
    output: 'dist/apps/demo',
    inputs: [...SETTINGS, ...LIBRARY, 'apps/demo/src', 'apps/demo/tsconfig.app.json'],
  },
};

/**
 * Builds what has changed since it was built last, so that a second start is quick. When the compiler complains, the
 * process ends with its exit code.
 * @param {(keyof typeof PROJECTS)[]} [projects]  all of them by default
 */
export async function build(projects = Object.keys(PROJECTS)) {
  mkdirSync(join(root, 'dist'), { recursive: true });
  // Two runs side by side must not write one folder at once.
  const status = await withLock(join(root, 'dist/.build.lock'), () => {
    for (const project of projects) {
      const failed = buildProject(PROJECTS[project]);
      if (failed) return failed;
    }
    return 0;
  });
  if (status !== 0) process.exit(status);
}

/** @returns the compiler's exit code, 0 when there was nothing to do */
function buildProject({ name, output, inputs }) {
  const stamp = join(root, `dist/.${name}.built`);
  const state = fingerprint(inputs);
  if (readIfThere(stamp) === state) return 0;

  console.log(`Building ${name} …`);
  // A file whose source is gone must not be packed or imported any more.
  rmSync(stamp, { force: true });
  rmSync(join(root, output), { recursive: true, force: true });
  const nest = join(root, 'node_modules/@nestjs/cli/bin/nest.js');
  const { status } = spawnSync(process.execPath, [nest, 'build', name], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status === 0) writeFileSync(stamp, state);
  return status ?? 1;
}

/** A digest of the names and contents of the files at `inputs`; tests are no part of a build. */
function fingerprint(inputs) {
  const digest = createHash('sha256');
  for (const input of inputs) {
    for (const file of filesAt(input)) {
      digest.update(`${file}\0`).update(readFileSync(join(root, file)));
    }
  }
  return digest.digest('hex');
}

function filesAt(path) {
  const entry = statSync(join(root, path), { throwIfNoEntry: false });
  if (!entry) return [];
  if (!entry.isDirectory()) return path.endsWith('.spec.ts') ? [] : [path];
  return readdirSync(join(root, path))
    .toSorted()
    .flatMap((name) => filesAt(`${path}/${name}`));
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

if (isEntryPoint(import.meta.url)) {
  const projects = process.argv.slice(2);
  const unknown = projects.filter((project) => !(project in PROJECTS));
  if (unknown.length > 0) {
    const known = Object.keys(PROJECTS).join(', ');
    console.error(`No project is called ${unknown.join(', ')}: ${known}.`);
    process.exit(1);
  }
  await build(projects.length > 0 ? projects : undefined);
}
