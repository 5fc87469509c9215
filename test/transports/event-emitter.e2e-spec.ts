import { Controller, Injectable, Post, Scope, UseGuards } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { TrackedActivity, currentActivity } from 'nestjs-activity';
import supertest from 'supertest';
import type { ActivityProbe } from '../support/activity-probe.js';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { usersOfRequests } from './known-users.js';

afterEach(closeApps);

interface Order {
  id: string;
}

@Injectable()
class Listeners {
  @OnEvent('order.created')
  @TrackedActivity({ type: 'mail', resource: ({ args: [order] }) => ({ type: 'order', id: (order as Order).id }) })
  async mail(_order: Order): Promise<string> {
    return 'mailed';
  }

  @TrackedActivity({ type: 'invoice' })
  @OnEvent('order.created', { async: true })
  async invoice(_order: Order): Promise<void> {
    currentActivity().log.info('written');
  }

  @OnEvent('order.*')
  @TrackedActivity({ type: 'audit' })
  async audit(_order: Order): Promise<string> {
    return 'audited';
  }

  @OnEvent('order.lost')
  @TrackedActivity({ type: 'search' })
  async search(_order: Order): Promise<void> {
    throw new Error('it is nowhere');
  }

  @OnEvent('order.unsafe', { suppressErrors: false })
  @TrackedActivity({ type: 'unsafe' })
  async unsafe(_order: Order): Promise<void> {
    throw new RangeError('as it is');
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedListener {
  @OnEvent('scoped')
  @TrackedActivity({ type: 'scoped' })
  async listen(_order: Order): Promise<void> {}
}

@Controller('orders')
@UseGuards(usersOfRequests)
class Orders {
  constructor(private readonly emitter: EventEmitter2) {}

  @Post()
  create() {
    return this.emitter.emit('order.created', { id: '7' });
  }
}

/** Those of `order.created` have ended. */
async function allListened(probe: ActivityProbe): Promise<void> {
  for (const type of ['mail', 'invoice', 'audit']) await probe.settled(type);
}

const module = {
  imports: [EventEmitterModule.forRoot({ wildcard: true })],
  controllers: [Orders],
  providers: [Listeners, ScopedListener],
};

describe('an event listener', () => {
  it('is one activity for each listener of an event, asynchronous and with a wildcard too, and of no one', async () => {
    const { app, probe } = await trackedApp(module);
    const answers: unknown[] = await app.get(EventEmitter2).emitAsync('order.created', { id: '7' });
    // The emitter does not wait for a listener that is `async`.
    await allListened(probe);
    const rows = await probe.rows();
    expect(rows.map(({ type }) => type).toSorted()).toEqual(['audit', 'invoice', 'mail']);
    for (const row of rows) expect(row).toMatchObject({ status: 'succeeded', actor: null, parentId: null });
    const byType = Object.fromEntries(rows.map((row) => [row.type, row]));
    expect(byType.mail).toMatchObject({
      resource: { type: 'order', id: '7' },
      origin: { kind: 'event', label: 'Listeners.mail', requestId: null },
    });
    expect(answers.filter((answer) => typeof answer === 'string').toSorted()).toEqual(['audited', 'mailed']);
  });

  it('is a child of the activity in which the event was emitted', async () => {
    const { app, probe, activities } = await trackedApp(module);
    const id = await activities.run({ type: 'checkout', actor: 'ada' }, async (activity) => {
      app.get(EventEmitter2).emit('order.created', { id: '8' });
      await allListened(probe);
      return activity.id;
    });
    const listeners = (await probe.rows()).filter(({ type }) => type !== 'checkout');
    expect(listeners).toHaveLength(3);
    for (const row of listeners)
      expect(row).toMatchObject({ parentId: id, actor: { id: 'ada' }, origin: { kind: 'event' } });
  });

  it('emitted in a request has its actor and its id', async () => {
    const { app, probe } = await trackedApp(module);
    await supertest(app.getHttpServer()).post('/orders').set({ 'x-user': 'ada', 'x-request-id': 'r-1' }).expect(201);
    await allListened(probe);
    for (const row of await probe.rows()) {
      expect(row).toMatchObject({ actor: { id: 'ada' }, origin: { kind: 'event', requestId: 'r-1' } });
    }
  });

  it('may have an actor that the module finds', async () => {
    const { app, probe } = await trackedApp(module, {
      activity: { actor: ({ args: [order] }) => `customer of ${(order as Order).id}` },
    });
    await app.get(EventEmitter2).emitAsync('order.paid', { id: '9' });
    expect(await probe.only()).toMatchObject({ type: 'audit', actor: { id: 'customer of 9' } });
  });

  it('that throws is a failed activity; the emitter hears of it only where it did without tracking', async () => {
    const { app, probe, log } = await trackedApp(module);
    const emitter = app.get(EventEmitter2);
    await emitter.emitAsync('order.lost', { id: '1' });
    expect(await probe.settled('search')).toMatchObject({ status: 'failed', error: { message: 'it is nowhere' } });
    expect(log.lines).toContainEqual(expect.objectContaining({ level: 'error', text: 'it is nowhere' }));
    await expect(emitter.emitAsync('order.unsafe', { id: '1' })).rejects.toMatchObject({
      name: 'RangeError',
      message: 'as it is',
    });
    expect(await probe.settled('unsafe')).toMatchObject({ status: 'failed', error: { name: 'RangeError' } });
  });

  it('[C39] may be request-scoped', async () => {
    const { app, probe } = await trackedApp(module);
    await app.get(EventEmitter2).emitAsync('scoped', { id: '1' });
    expect(await probe.only()).toMatchObject({ type: 'scoped', status: 'succeeded', origin: { kind: 'event' } });
  });
});
