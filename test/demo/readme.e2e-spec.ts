import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DemoProcess, repository, stopDemos } from './support/demo-process.js';
import { differenceFrom, walkOf, type WalkStep } from './support/readme-walk.js';
import { Shell } from './support/shell.js';
import { until } from './support/until.js';

const readme = await readFile(join(repository, 'README.md'), 'utf8');

const shell = new Shell();

afterAll(async () => {
  shell.close();
  await stopDemos();
});

describe('the README', () => {
  it('has the quick start as it is in apps/demo', async () => {
    const source = await readFile(join(repository, 'apps/demo/src/quick-start.ts'), 'utf8');
    const [, section] = readme.split('\n## Quick start\n');
    expect(/^```ts\n([\s\S]*?)^```/m.exec(section!)![1]).toBe(source);
  });

  it('walks through the demo: each command answers as it is printed there', async () => {
    const demo = await DemoProcess.start();
    const steps = walkOf(readme, 'A walk through the demo');
    expect(steps.length).toBeGreaterThan(7);
    let waiting: number | undefined;
    for (const { command, answers } of steps) {
      const here = command.replaceAll('localhost:3000', `localhost:${demo.port}`);
      const [own, late] = answers;
      const differs = (text: string, shown: string): string | undefined => differenceFrom(shown, JSON.parse(text));
      if (own === undefined) {
        waiting = (await shell.run(here)).number;
        continue;
      }
      // Reading may be repeated until what is shown has happened; what changes something is said once.
      const patience = isReading({ command, answers }) ? until : once;
      await patience(command, async () => {
        const difference = differs((await shell.run(here)).text, own);
        if (difference) throw new Error(`${command}\n${difference}`);
        return true;
      });
      if (late !== undefined) {
        const answer = await until('the answer of the waiting call', () => shell.printed(waiting!) || undefined);
        expect(differs(answer, late)).toBeUndefined();
      }
    }
    await demo.stop();
    expect(demo.errors).toBe('');
  }, 60_000);
});

function isReading({ command }: WalkStep): boolean {
  return !/-X POST| -d | -F /.test(command);
}

function once<T>(_what: string, ask: () => Promise<T>): Promise<T> {
  return ask();
}
