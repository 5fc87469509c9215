// `npm run bar`: what of claims.json the tests show. A title carries the claims that its test shows, e.g. `[F12] [C04]`;
// a claim counts when every test that carries it passed and none was skipped. Further arguments go to Jest.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { installWhenNeeded } from './dependencies.mjs';
import { jest } from './jest.mjs';
import { root } from './root.mjs';

installWhenNeeded();
await build();

const claims = JSON.parse(readFileSync(join(root, 'scripts/claims.json'), 'utf8'));
const { suites, exitCode } = await runSuites(process.argv.slice(2));
const shown = testsByTag(suites);
const isKnown = (tag) => tag in claims.features || tag in claims.cases;
const titleOf = (tag) => claims.features[tag] ?? claims.cases[tag];
const isShown = (tag) => shown.has(tag) && shown.get(tag).every(({ status }) => status === 'passed');

const tags = [...Object.keys(claims.features), ...Object.keys(claims.cases)];
const short = tags.filter((tag) => shown.has(tag) && !isShown(tag));
const untested = tags.filter((tag) => !shown.has(tag));
const unknown = [...shown.keys()].filter((tag) => !isKnown(tag));
const broken = suites.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0);

section(
  'Not shown: a test failed or was skipped',
  short.flatMap((tag) => [
    `${tag} ${titleOf(tag)}`,
    ...shown
      .get(tag)
      .filter(({ status }) => status !== 'passed')
      .map(({ status, fullName, file }) => `    ${status}: ${fullName} (${file})`),
  ]),
);
section(
  'Without a test',
  untested.map((tag) => `${tag} ${titleOf(tag)}`),
);
section(
  'No such claim',
  unknown.flatMap((tag) => shown.get(tag).map(({ fullName, file }) => `${tag} ${fullName} (${file})`)),
);
section(
  'Suites that did not run, so that their claims are not known',
  broken.map(({ name }) => relative(root, name)),
);
console.log(`features: ${count(claims.features)} of ${Object.keys(claims.features).length}`);
console.log(`cases: ${count(claims.cases)} of ${Object.keys(claims.cases).length}`);

const hasFailed = short.some((tag) => shown.get(tag).some(({ status }) => status === 'failed'));
// Jest also fails for what it cannot put into the report: an unknown option, a setup that threw.
const reported = suites.length > 0 || exitCode === 0;
process.exitCode = hasFailed || unknown.length > 0 || broken.length > 0 || !reported ? 1 : 0;

async function runSuites(args) {
  const directory = mkdtempSync(join(tmpdir(), 'activity-bar-'));
  const report = join(directory, 'report.json');
  try {
    const status = await jest([...args, '--json', '--outputFile', report]);
    return { exitCode: status, suites: JSON.parse(readFileSync(report, 'utf8')).testResults };
  } catch (error) {
    console.error('Jest left no report:', error);
    return { exitCode: 1, suites: [] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns {Map<string, { status: string, fullName: string, file: string }[]>} tag, e.g. `F07`, to its tests */
function testsByTag(testResults) {
  const byTag = new Map();
  for (const { name, assertionResults } of testResults) {
    for (const { fullName, status } of assertionResults) {
      for (const tag of tagsIn(fullName)) {
        byTag.set(tag, [...(byTag.get(tag) ?? []), { status, fullName, file: relative(root, name) }]);
      }
    }
  }
  return byTag;
}

/** `[F7]`, `[F07]` and `[F7, C04]` are all read; claims are written with two digits or more. */
function tagsIn(title) {
  const lists = [...title.matchAll(/\[((?:[FC]\d+[\s,]*)+)\]/g)].map(([, list]) => list);
  const found = lists.flatMap((list) => [...list.matchAll(/([FC])(\d+)/g)]);
  return new Set(found.map(([, kind, number]) => kind + String(Number(number)).padStart(2, '0')));
}

function count(group) {
  return Object.keys(group).filter(isShown).length;
}

function section(title, lines) {
  if (lines.length > 0) console.log(`${title}:\n${lines.map((line) => `  ${line}`).join('\n')}\n`);
}
