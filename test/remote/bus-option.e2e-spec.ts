import { afterEach, describe, expect, it } from '@jest/globals';
import type { ActivityBusCarrier, ActivityBusListener } from 'nestjs-activity';
import { closeApps, trackedApp } from '../support/tracked-app.js';

afterEach(closeApps);

describe('the option `bus`', () => {
  it('refuses PostgreSQL where the activities are elsewhere, and what it does not know', async () => {
    await expect(trackedApp({}, { activity: { bus: 'postgres' } })).rejects.toThrow(
      /in another database.*redisBus\(\)/,
    );
    await expect(trackedApp({}, { activity: { bus: 'kafka' as never } })).rejects.toThrow(
      /`bus` is "kafka": it must be 'postgres', 'off' or a function/,
    );
  });

  it('makes a carrier for each application, and closes it with that', async () => {
    const steps: string[] = [];
    const bus = (): ActivityBusCarrier => ({
      name: 'Own',
      open: (listener: ActivityBusListener) => {
        steps.push('open');
        listener.connected();
      },
      send: async () => void steps.push('send'),
      close: async () => void steps.push('close'),
    });
    const { activities, app } = await trackedApp({}, { activity: { bus } });
    expect(activities.stats().bus).toEqual({ isConnected: true });
    expect(await activities.run({ type: 'works' }, () => 'value')).toBe('value');
    await app.close();
    expect(steps).toEqual(['open', 'close']);
  });

  it('is nothing on SQLite, unless it says otherwise', async () => {
    expect((await trackedApp({})).activities.stats().bus).toBeNull();
  });
});
