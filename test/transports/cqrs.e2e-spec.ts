import { Controller, Injectable, Post, Scope, UseGuards } from '@nestjs/common';
import {
  Command,
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventsHandler,
  Query,
  QueryBus,
  QueryHandler,
  Saga,
  UnhandledExceptionBus,
  ofType,
  type ICommandHandler,
  type IEvent,
  type IEventHandler,
  type IQueryHandler,
} from '@nestjs/cqrs';
import { CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import { firstValueFrom, map, type Observable } from 'rxjs';
import supertest from 'supertest';
import { closeApps, trackedApp } from '../support/tracked-app.js';
import { usersOfRequests } from './known-users.js';

afterEach(closeApps);

class Ship extends Command<string> {
  constructor(readonly order: string) {
    super();
  }
}

class Shipped {
  constructor(readonly order: string) {}
}

class Thank extends Command<void> {
  constructor(readonly order: string) {
    super();
  }
}

class CountShipped extends Query<number> {}

class Bill extends Command<void> {}

@CommandHandler(Ship)
class ShipHandler implements ICommandHandler<Ship> {
  constructor(private readonly events: EventBus) {}

  @TrackedActivity({ type: 'ship', resource: ({ args: [{ order }] }) => ({ type: 'order', id: order as string }) })
  async execute({ order }: Ship, @CurrentActivity() activity?: ActivityContext): Promise<string> {
    if (order === 'none') throw new RangeError('nothing to ship');
    if (order === 'slow') await activity!.sleep(60_000);
    this.events.publish(new Shipped(order));
    return `shipped ${order}`;
  }
}

@CommandHandler(Thank)
class ThankHandler implements ICommandHandler<Thank> {
  @TrackedActivity({ type: 'thank' })
  async execute(_command: Thank): Promise<void> {}
}

@CommandHandler(Bill, { scope: Scope.REQUEST })
class BillHandler implements ICommandHandler<Bill> {
  @TrackedActivity({ type: 'bill' })
  async execute(_command: Bill): Promise<void> {}
}

/** Its values come at once; the bus gives promises all the same. */
@QueryHandler(CountShipped)
class CountHandler implements IQueryHandler<CountShipped> {
  @TrackedActivity({ type: 'count' })
  execute(_query: CountShipped): never {
    return 3 as never;
  }
}

@EventsHandler(Shipped)
class NotifyHandler implements IEventHandler<Shipped> {
  @TrackedActivity({ type: 'notify' })
  async handle({ order }: Shipped): Promise<void> {
    if (order === 'unknown') throw new Error('nobody to notify');
  }
}

@Injectable()
class Courtesy {
  @Saga()
  thank = (events: Observable<IEvent>): Observable<Thank> =>
    events.pipe(
      ofType(Shipped),
      map(({ order }) => new Thank(order)),
    );
}

@Controller('orders')
@UseGuards(usersOfRequests)
class Orders {
  constructor(private readonly commands: CommandBus) {}

  @Post('ship')
  ship() {
    return this.commands.execute(new Ship('9'));
  }
}

const module = {
  imports: [CqrsModule.forRoot()],
  controllers: [Orders],
  providers: [ShipHandler, ThankHandler, BillHandler, CountHandler, NotifyHandler, Courtesy],
};

describe('a CQRS handler', () => {
  it('is one activity for a command, and what it publishes is done in its children, by a saga too', async () => {
    const { get, probe } = await trackedApp(module);
    expect(await get(CommandBus).execute(new Ship('7'))).toBe('shipped 7');
    await Promise.all([probe.settled('notify'), probe.settled('thank')]);
    const rows = Object.fromEntries((await probe.rows()).map((row) => [row.type, row]));
    expect(Object.keys(rows).toSorted()).toEqual(['notify', 'ship', 'thank']);
    expect(rows.ship).toMatchObject({
      status: 'succeeded',
      actor: null,
      resource: { type: 'order', id: '7' },
      origin: { kind: 'command', label: 'ShipHandler.execute' },
      parentId: null,
    });
    expect(rows.notify).toMatchObject({
      parentId: rows.ship!.id,
      origin: { kind: 'event', label: 'NotifyHandler.handle' },
    });
    expect(rows.thank).toMatchObject({
      parentId: rows.ship!.id,
      origin: { kind: 'command', label: 'ThankHandler.execute' },
    });
  });

  it('is one activity for a query, whose handler may be synchronous', async () => {
    const { get, probe, log } = await trackedApp(module);
    expect(await get(QueryBus).execute(new CountShipped())).toBe(3);
    expect(await probe.only()).toMatchObject({
      type: 'count',
      origin: { kind: 'query', label: 'CountHandler.execute' },
    });
    expect(log.warnings('CountHandler')).toEqual([]);
  });

  it('has the actor of the request in which it was called, or one that the module finds', async () => {
    const first = await trackedApp(module);
    await supertest(first.app.getHttpServer())
      .post('/orders/ship')
      .set({ 'x-user': 'ada', 'x-request-id': 'r-3' })
      .expect(201, 'shipped 9');
    expect(await first.probe.settled('ship')).toMatchObject({
      actor: { id: 'ada' },
      origin: { kind: 'command', requestId: 'r-3' },
    });
    const second = await trackedApp(module, {
      activity: { actor: ({ args }) => `customer of ${(args[0] as Ship).order}` },
    });
    await second.get(CommandBus).execute(new Thank('8'));
    expect(await second.probe.only()).toMatchObject({ actor: { id: 'customer of 8' } });
  });

  it('fails with its own error, of which the bus tells as without tracking', async () => {
    const { get, probe } = await trackedApp(module);
    await expect(get(CommandBus).execute(new Ship('none'))).rejects.toMatchObject({ message: 'nothing to ship' });
    expect(await probe.only()).toMatchObject({ type: 'ship', status: 'failed', error: { name: 'RangeError' } });

    const unhandled = firstValueFrom(get(UnhandledExceptionBus));
    get(EventBus).publish(new Shipped('unknown'));
    expect(await unhandled).toMatchObject({ exception: { message: 'nobody to notify' }, cause: { order: 'unknown' } });
    expect(await probe.settled('notify')).toMatchObject({ status: 'failed', parentId: null });
  });

  it('is cancelled in mid-run, and whoever has called it is told why', async () => {
    const { get, probe, activities } = await trackedApp(module);
    const answer = get(CommandBus)
      .execute(new Ship('slow'))
      .catch((error: unknown) => error);
    const { id } = await probe.started('ship');
    await activities.cancel(id, { by: 'grace' });
    expect(await answer).toMatchObject({ code: 'ACTIVITY_CANCELLED', abortReason: 'user' });
    expect(await probe.row(id)).toMatchObject({ status: 'cancelled', reason: 'user' });
  });

  it('[C39] may be request-scoped', async () => {
    const { get, probe } = await trackedApp(module);
    await get(CommandBus).execute(new Bill());
    expect(await probe.only()).toMatchObject({ type: 'bill', status: 'succeeded', origin: { kind: 'command' } });
  });
});
