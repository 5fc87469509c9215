import { readFile } from 'node:fs/promises';
import * as api from 'nestjs-activity';

describe('docs/reference/errors.md', () => {
  it('lists every code of the catalogue and every exported error class, and no other', async () => {
    const page = await readFile(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8');
    const source = await readFile(new URL('../../libs/activity/src/model/activity-error.ts', import.meta.url), 'utf8');
    const codes = new Set([...source.matchAll(/'(ACTIVITY_[A-Z_]+)'/g)].map(([, code]) => code));
    const listed = new Set([...page.matchAll(/^\| `(ACTIVITY_[A-Z_]+)`/gm)].map(([, code]) => code));
    expect(codes.size).toBeGreaterThan(10);
    expect(listed).toEqual(codes);
    const classes = Object.entries(api)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof api.ActivityError)
      .map(([name]) => name);
    for (const name of classes) expect(page).toContain(`\`${name}\``);
  });
});
