import { Redis, type Cluster, type RedisOptions } from 'ioredis';
import { ActivityOptionError, type ActivityBusCarrier } from '../../index.js';
import { RedisCarrier } from './redis-carrier.js';

export interface RedisBusOptions {
  /** Where Redis is, e.g. `rediss://user:secret@host:6379`. Default `redis://127.0.0.1:6379`. */
  url?: string;
  /** Of ioredis, beside the url: TLS, say. */
  options?: RedisOptions;
  /**
   * Makes a connection, in place of `url` and `options` (for Sentinel or a cluster, say): called for each of the two that
   * are needed, one that subscribes and one that publishes. They belong to the bus, which closes them.
   */
  client?: () => Redis | Cluster;
  /** Stands before the name of the channel: processes hear each other where it is the same. Default `nestjs-activity`. */
  prefix?: string;
}

/**
 * For `ActivityModule.forRoot({ bus: redisBus({ url }) })`: other processes are told at once by Redis' publish and subscribe.
 * Nothing is kept in Redis, and nothing depends on it: while it is away, polls find what it would have told.
 * @throws {ActivityOptionError} naming what is wrong.
 */
export function redisBus(given: RedisBusOptions = {}): () => ActivityBusCarrier {
  const { url = 'redis://127.0.0.1:6379', options = {}, client, prefix = 'nestjs-activity' } = given;
  const problems = [
    ...(client && (given.url !== undefined || given.options !== undefined)
      ? ['`client` makes the connections: leave `url` and `options` out']
      : []),
    ...(/^rediss?:\/\//.test(url) ? [] : ['`url` must begin with redis:// or rediss://']),
    ...(/^[\w:.-]{1,128}$/.test(prefix) ? [] : ['`prefix` must be 1 to 128 letters, digits, or any of _ : . -']),
  ];
  if (problems.length > 0) throw new ActivityOptionError('redisBus()', problems);
  const connect = client ?? (() => new Redis(url, { connectionName: 'nestjs-activity', ...options, ...CONNECTION }));
  return () => new RedisCarrier(connect, `${prefix}:notices`);
}

/** Up to 2 s between attempts, up to a half less: not all processes come at the same moment. */
const CONNECTION: RedisOptions = {
  retryStrategy: (attempt) => Math.min(2_000, 50 * attempt) * (0.5 + Math.random() / 2),
  // A command of a lost connection is a hint that comes too late.
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  keepAlive: 30_000,
};
