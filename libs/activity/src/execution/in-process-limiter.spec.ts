import { InProcessLimiter } from './in-process-limiter.js';

function limiter() {
  const subject = new InProcessLimiter();
  const enter = (activityId: string, max = 1, ancestorIds: string[] = [], key = 'k', scope = 'default') =>
    subject.enter({ key, max, scope, activityId, ancestorIds });
  return { subject, enter };
}

describe('the limiter within one process', () => {
  it('hands slots on in the order of arrival and tells the place in line', async () => {
    const { subject, enter } = limiter();
    const [first, second, third] = [enter('1'), enter('2'), enter('3')];
    expect([first.granted, second.granted, third.granted]).toEqual([true, false, false]);
    expect([first.position(), second.position(), third.position()]).toEqual([0, 1, 2]);
    first.leave();
    await second.whenGranted;
    expect(subject.holders('k')).toEqual(['2']);
    expect(third.position()).toBe(1);
  });

  it('frees the place of one that leaves the line, and a slot once however often it is given back', async () => {
    const { subject, enter } = limiter();
    const [first, second, third, fourth] = [enter('1'), enter('2'), enter('3'), enter('4')];
    second.leave();
    first.leave();
    first.leave();
    await third.whenGranted;
    expect(subject.holders('k')).toEqual(['3']);
    expect(fourth.position()).toBe(1);
  });

  it('lends nested work the slot of the activity around it, where a wait would never end', () => {
    const { subject, enter } = limiter();
    enter('outer');
    expect(enter('inner', 1, ['outer']).granted).toBe(true);
    expect(subject.holders('k')).toEqual(['outer']);
  });

  it('does not let one full key hold up another', () => {
    const { enter } = limiter();
    enter('1');
    for (let n = 0; n < 100; n++) enter(`w${n}`);
    expect(enter('b', 1, [], 'other').granted).toBe(true);
  });

  it('[F45] lets the scopes of a key take turns', async () => {
    const { subject, enter } = limiter();
    const first = enter('1');
    for (let n = 0; n < 100; n++) enter(`w${n}`);
    const other = enter('b', 1, [], 'k', 'other');
    expect(other.position()).toBe(2);
    first.leave();
    expect(other.position()).toBe(1);
    expect(subject.holders('k')).toEqual(['w0']);
  });

  it('takes the newest maximum: raising starts waiters at once, lowering stops nobody', async () => {
    const { subject, enter } = limiter();
    enter('1');
    const second = enter('2');
    const third = enter('3', 3);
    await second.whenGranted;
    expect(third.granted).toBe(true);
    expect(enter('4', 1).granted).toBe(false);
    expect(subject.holders('k')).toEqual(['1', '2', '3']);
  });
});
