import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const app = fileURLToPath(new URL('without-swagger/app.ts', import.meta.url));
const block = new URL('without-swagger/block-swagger.mjs', import.meta.url).href;

/** Answers of a small application in a process of its own, and whether it could import `@nestjs/swagger`. */
async function answersOf(...nodeOptions: string[]): Promise<{ hasSwagger: boolean; answers: unknown[]; log: string }> {
  const { stdout, stderr } = await run(process.execPath, [...nodeOptions, '--import', 'tsx', app]);
  return { ...(JSON.parse(stdout) as { hasSwagger: boolean; answers: unknown[] }), log: stderr };
}

describe('the admin API', () => {
  it('answers the very same, without a word, where `@nestjs/swagger` is not installed', async () => {
    const [without, withIt] = await Promise.all([answersOf('--import', block), answersOf()]);
    expect(without.hasSwagger).toBe(false);
    expect(withIt.hasSwagger).toBe(true);
    expect(without.answers).toEqual(withIt.answers);
    expect(without.answers).toEqual([
      [200, 'application/json; charset=utf-8', ['items', 'nextCursor', 'searchedTo']],
      [404, 'application/problem+json; charset=utf-8', expect.arrayContaining(['code', 'detail'])],
      [202, 'application/json; charset=utf-8', expect.arrayContaining(['id', 'status'])],
      [400, 'application/problem+json; charset=utf-8', expect.arrayContaining(['problems'])],
      [200, 'application/json; charset=utf-8', ['deleted']],
    ]);
    expect(without.log).toBe('');
    // Two processes that compile the library first: seconds alone, more beside other suites.
  }, 120_000);
});
