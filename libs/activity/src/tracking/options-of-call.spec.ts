import type { ActivitySettings } from '../config/activity-module.options.js';
import { optionsOfCall, prepareOptions } from './options-of-call.js';

const settings = { startTimeout: 1_000 } as ActivitySettings;
const call = { args: ['alpine'], instance: {}, className: 'Images', methodName: 'pull' };

describe('the options of a call', () => {
  it('are those of the decorator itself, where nothing is asked', () => {
    const prepared = prepareOptions('here', { type: 'image.pull', title: 'Pulls' }, 'Images.pull');
    expect(optionsOfCall(prepared, call, settings)).toMatchObject({ options: { type: 'image.pull', title: 'Pulls' } });
    expect(optionsOfCall(prepared, { ...call, request: { user: 'ada' } }, settings)).toMatchObject({
      options: { type: 'image.pull', actor: { id: 'ada' } },
    });
    expect(prepared.fixed).toEqual({ type: 'image.pull', title: 'Pulls' });
  });

  it('are there at once, where no function promises one', () => {
    const prepared = prepareOptions('here', { title: ({ args: [ref] }) => `Pulls ${ref}` }, 'Images.pull');
    const found = optionsOfCall(prepared, call, { ...settings, scope: () => 'eu' });
    expect(found).toMatchObject({ options: { type: 'Images.pull', title: 'Pulls alpine', scope: 'eu' }, notes: [] });
  });

  it('are asked for one after the other, though one is promised', async () => {
    const seen: string[] = [];
    const saying =
      <T>(name: string, value: T) =>
      (): T => {
        seen.push(name);
        return value;
      };
    const prepared = prepareOptions(
      'here',
      {
        title: saying('title', 'Pulls'),
        resource: saying('resource', Promise.resolve({ type: 'image', id: 'alpine' })),
        batchId: saying('batchId', 'b1'),
      },
      'Images.pull',
    );
    const found = optionsOfCall(prepared, call, { ...settings, actor: saying('actor', { id: 'ada' }) });
    expect(seen).toEqual(['title', 'resource']);
    expect(await found).toMatchObject({
      options: { title: 'Pulls', resource: { type: 'image', id: 'alpine' }, batchId: 'b1', actor: { id: 'ada' } },
    });
    expect(seen).toEqual(['title', 'resource', 'batchId', 'actor']);
  });
});
