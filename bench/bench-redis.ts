import { Redis } from 'ioredis';

/** The address of the Redis that the bench uses; undefined where it does not answer, which is said. */
export async function findBenchRedis(row: string): Promise<string | undefined> {
  const url = process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379';
  const probe = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  try {
    await probe.connect();
    return url;
  } catch (error) {
    console.log(`${row}: skipped, no server answers at ${url} (set TEST_REDIS_URL): ${String(error)}`);
    return undefined;
  } finally {
    probe.disconnect();
  }
}
