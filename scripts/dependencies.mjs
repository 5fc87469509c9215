import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';

/** Runs `npm ci` unless `node_modules` is what `package-lock.json` says. */
export function installWhenNeeded() {
  if (installed() || borrowed()) return;
  console.log('Installing dependencies (npm ci) …');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // Under `npm start` the npm that runs us says where it is; `npm` by name needs a shell on Windows.
  const npm = process.env.npm_execpath;
  const { status } = npm
    ? spawnSync(process.execPath, [npm, ...args], inherited())
    : spawnSync(['npm', ...args].join(' '), { ...inherited(), shell: true });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * Compares what npm noted as installed with what is locked. Times of files would not do: each checkout of another
 * branch makes the lock look newer than an install that still fits it.
 */
function installed() {
  const locked = packagesIn('package-lock.json');
  const present = packagesIn('node_modules/.package-lock.json');
  if (!locked || !present) return false;
  return Object.entries(locked).every(
    ([path, { version, optional, devOptional, peer }]) =>
      path === '' ||
      // Binaries of other platforms are locked and rightly absent.
      ((optional || devOptional || peer) && !(path in present)) ||
      present[path]?.version === version,
  );
}

/** A link leads to another checkout's packages, which `npm ci` would empty. */
function borrowed() {
  return lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function packagesIn(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function inherited() {
  return { cwd: root, stdio: 'inherit' };
}
