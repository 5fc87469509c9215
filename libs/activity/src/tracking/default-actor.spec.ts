import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { actorOfCall, actorOfRequest } from './default-actor.js';

describe('the default actor', () => {
  it.each([
    [
      { id: 7, name: 'Ada' },
      { id: '7', name: 'Ada' },
    ],
    [
      { sub: 'ada', username: 'lovelace' },
      { id: 'ada', name: 'lovelace' },
    ],
    ['ada', { id: 'ada' }],
    [{ name: 'nobody' }, null],
    [undefined, null],
  ])('of a request is its user: %j', (user, actor) => {
    expect(actorOfRequest({ user })).toEqual(actor);
  });

  it('of a gateway may be where Socket.IO keeps it: in the data of the client, or on the request of its handshake', () => {
    for (const client of [{ data: { user: 'ada' } }, { data: {}, request: { user: { id: 'ada' } } }]) {
      const context = new ExecutionContextHost([client, { user: 'a claim' }]);
      context.setType('ws');
      expect(actorOfCall(client, context)).toMatchObject({ id: 'ada' });
    }
  });

  it('of a message is not what the message says', () => {
    const rpc = {};
    const context = new ExecutionContextHost([{ user: 'a claim' }, rpc]);
    context.setType('rpc');
    expect(actorOfCall(rpc, context)).toBeNull();
  });
});
