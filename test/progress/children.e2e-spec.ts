import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { CurrentActivity, TrackedActivity, currentActivity, type ActivityContext } from 'nestjs-activity';
import { eventually } from '../support/eventually.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

@Injectable()
class Images {
  @TrackedActivity({ type: 'image.pull', weight: ({ args: [size] }) => size as number })
  async pull(_size: number, half: () => unknown, @CurrentActivity() activity?: ActivityContext) {
    activity!.progress(50);
    await half();
  }

  @TrackedActivity({ type: 'audit.write', weight: 0 })
  async audit() {
    currentActivity().progress(100);
  }
}

describe('an activity whose progress is that of its children', () => {
  it('[F34] has the sum of theirs by weight, before, while and after they run, whoever starts them', async () => {
    const { activities, probe, get } = await trackedApp({ providers: [Images] }, { activity: { progressInterval: 1 } });
    await activities.run({ type: 'stack.deploy' }, async (parent) => {
      const shows = (percent: number) =>
        eventually(
          () => probe.row(parent.id),
          ({ progress }) => progress.percent === percent,
        );
      parent.steps([{ name: 'pull', weight: 3 }, 'start']);
      parent.step('pull');
      parent.progress({ children: 4, unit: 'images' });
      await shows(0);
      await get(Images).audit();
      await get(Images).pull(1, () => undefined);
      await shows(18.75);
      const failed = activities.run({ type: 'image.pull', weight: 3 }, () => {
        throw new Error('gone');
      });
      await expect(failed).rejects.toThrow('gone');
      await shows(75);
      parent.step('start');
      // No child of the step before, nor of one that follows its children.
      await activities.run({ type: 'container.start' }, ({ progress }) => progress(100));
      parent.progress(20);
      await shows(80);
    });
    const row = await probe.row((await activities.list({ type: 'stack.deploy' })).items[0]!.id);
    expect(row.progress.percent).toBe(100);
    expect(row.steps).toMatchObject([
      { name: 'pull', progress: { percent: 100, current: 4, total: 4, unit: 'images' } },
      { name: 'start', progress: { current: null } },
    ]);
  });

  it('[F34] hears of a child while it runs, and of the children of that child', async () => {
    const { activities, probe, get } = await trackedApp({ providers: [Images] }, { activity: { progressInterval: 1 } });
    const parent = await activities.start({ type: 'fleet.deploy' });
    parent.progress({ children: 2 });
    const child = await activities.start({ type: 'stack.deploy', parentId: parent.id });
    child.progress({ children: 2 });
    const shows = (percent: number) =>
      eventually(
        () => probe.row(parent.id),
        ({ progress }) => progress.percent === percent,
      );
    await child.within(() => get(Images).pull(1, () => shows(12.5)));
    await shows(25);
    await child.cancelled();
    await shows(50);
    await parent.fail(new Error('stopped'));
    expect((await probe.row(parent.id)).progress).toMatchObject({ percent: 50, current: 1, total: 2 });
  });

  it.each([-1, Number.NaN, 'heavy'])('refuses a weight of %p', async (weight) => {
    const { activities } = await trackedApp({});
    await expect(activities.run({ type: 'x', weight: weight as number }, () => undefined)).rejects.toMatchObject({
      code: 'ACTIVITY_OPTION_INVALID',
      message: expect.stringContaining('`weight`') as unknown,
    });
  });
});
