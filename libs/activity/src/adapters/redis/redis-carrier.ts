import type { Cluster, Redis } from 'ioredis';
import type { ActivityBusCarrier, ActivityBusListener } from '../../index.js';

type Connection = Redis | Cluster;

/** Redis' publish and subscribe, on two connections that ioredis brings back by itself. */
export class RedisCarrier implements ActivityBusCarrier {
  readonly name = 'Redis';
  #subscriber: Connection | undefined;
  #publisher: Connection | undefined;

  constructor(
    private readonly connect: () => Connection,
    private readonly channel: string,
  ) {}

  open(listener: ActivityBusListener): void {
    const subscriber = (this.#subscriber = this.connect());
    const publisher = (this.#publisher = this.connect());
    let isSubscribed = false;
    const connected = (): void => {
      if (isSubscribed && publisher.status === 'ready') listener.connected();
    };
    const subscribe = async (): Promise<void> => {
      try {
        await subscriber.subscribe(this.channel);
        isSubscribed = true;
        connected();
      } catch (error) {
        listener.disconnected(error);
      }
    };
    subscriber.on('message', (channel: string, text: string) => {
      if (channel === this.channel) listener.heard(text);
    });
    subscriber.on('close', () => (isSubscribed = false));
    follow(subscriber, { onReady: () => void subscribe(), onLost: (why) => listener.disconnected(why) });
    follow(publisher, { onReady: connected, onLost: (why) => listener.disconnected(why) });
  }

  /** Not queued until the connection is back: it would be told too late. */
  async send(text: string): Promise<void> {
    if (this.#publisher?.status === 'ready') await this.#publisher.publish(this.channel, text).catch(() => undefined);
  }

  async close(): Promise<void> {
    const connections = [this.#subscriber, this.#publisher].filter((connection) => connection !== undefined);
    this.#subscriber = undefined;
    this.#publisher = undefined;
    await Promise.all(connections.map(disconnect));
  }
}

function disconnect(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    if (connection.status === 'end') return resolve();
    connection.once('end', resolve);
    // It is waited for, so it must not let the process end before.
    if ('stream' in connection) connection.stream.ref();
    connection.disconnect();
  });
}

function follow(
  connection: Connection,
  { onReady, onLost }: { onReady: () => void; onLost: (why: unknown) => void },
): void {
  let why: unknown = new Error('the connection has ended');
  // Without a listener ioredis prints each error, of each attempt.
  connection.on('error', (error: unknown) => (why = error));
  connection.on('close', () => onLost(why));
  // A script that has nothing more to do ends, whoever might still say something.
  connection.on('connect', () => void ('stream' in connection && connection.stream.unref()));
  connection.on('ready', onReady);
  // One that an app has made may be connected already, or wait to be asked.
  if (connection.status === 'ready') onReady();
  if (connection.status === 'wait') connection.connect().catch(() => undefined);
}
