import { FairLine } from './fair-line.js';

/** Items are named after their scope: `a1` is of the scope `a`. */
function lineOf(...items: string[]) {
  const line = new FairLine<string>();
  const push = (...more: string[]) => {
    for (const item of more) line.push(item, item[0]!);
  };
  push(...items);
  const take = (count: number) => Array.from({ length: count }, () => line.shift());
  return { line, push, take };
}

describe('a fair line', () => {
  it('is first come first served within a scope, and between scopes of which one waits', () => {
    expect(lineOf('a1', 'a2', 'a3').take(4)).toEqual(['a1', 'a2', 'a3', undefined]);
    expect(lineOf('c1', 'a1', 'b1').take(3)).toEqual(['c1', 'a1', 'b1']);
  });

  it('[F45] lets scopes take turns: a thousand of one do not keep the first of another waiting', () => {
    const { take, push } = lineOf(...Array.from({ length: 1_000 }, (_, n) => `a${n}`));
    expect(take(2)).toEqual(['a0', 'a1']);
    push('b1', 'b2', 'c1');
    expect(take(6)).toEqual(['b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  });

  it('lets nobody gain by coming anew each time', () => {
    const { take, push } = lineOf('a1', 'a2', 'a3', 'a4', 'b1', 'c1');
    const served = take(3);
    for (const [b, c] of [
      ['b2', 'c2'],
      ['b3', 'c3'],
      ['b4', 'c4'],
    ]) {
      push(b!);
      served.push(...take(1));
      push(c!);
      served.push(...take(1));
    }
    expect(served.filter((item) => item?.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
  });

  it('tells the place of each, as it will be served', () => {
    const { line, push, take } = lineOf('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1');
    take(1);
    push('d1', 'c2', 'd2');
    line.delete('b1');
    const items = ['a2', 'a3', 'a4', 'b2', 'c1', 'c2', 'd1', 'd2'];
    const places = new Map(items.map((item) => [line.position(item), item]));
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((place) => places.get(place))).toEqual(take(8));
    expect(line.position('a2')).toBe(0);
    expect(line.size).toBe(0);
  });

  it('forgets who leaves', () => {
    const { line, take } = lineOf('a1', 'a2', 'b1');
    expect([line.delete('a1'), line.delete('a1')]).toEqual([true, false]);
    expect(take(3)).toEqual(['a2', 'b1', undefined]);
  });
});
