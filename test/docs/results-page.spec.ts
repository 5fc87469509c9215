import { readFile } from 'node:fs/promises';
import { resultsPage } from '../results/results-page.js';

describe('docs/reference/results.md', () => {
  it('is printed from the table that the suite of results runs', async () => {
    const page = await readFile(new URL('../../docs/reference/results.md', import.meta.url), 'utf8');
    expect(unaligned(page)).toBe(unaligned(resultsPage()));
  });
});

/** Without what the formatter does to the table. */
function unaligned(page: string): string {
  return page.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');
}
