import { expect, it } from '@jest/globals';
import { RecentWindow } from './recent-window.js';

it('figures of the newest values: none, few, and more than the window holds', () => {
  const window = new RecentWindow();
  expect(window.figures()).toEqual({ last: 0, mean: 0, p95: 0 });
  for (const value of [1, 2, 3, 10]) window.add(value);
  expect(window.figures()).toEqual({ last: 10, mean: 4, p95: 10 });
  for (let value = 1; value <= 256; value++) window.add(value);
  expect(window.figures()).toEqual({ last: 256, mean: 128.5, p95: 244 });
});
