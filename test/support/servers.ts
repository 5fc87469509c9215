import { describe, it } from '@jest/globals';

export type Server = 'POSTGRES' | 'MARIADB' | 'REDIS';

/**
 * A block that needs a server. Where global-setup found none, its tests are skipped and one of them says why; with
 * `CI=true` that one fails instead, so that no run is green for want of a server.
 * @param block  gets the server's address
 */
export function describeWithServer(server: Server, title: string, block: (url: string) => void): void {
  const url = process.env[`TEST_${server}_URL`] ?? '';
  const absent = process.env[`TEST_${server}_ABSENT`];
  if (absent === undefined) {
    describe(title, () => block(url));
    return;
  }
  describe(title, () => {
    if (process.env.CI === 'true') {
      it(absent, () => {
        throw new Error(`${absent}; with CI=true every suite has to run`);
      });
    } else {
      it.skip(absent, () => {});
    }
    // The tests are still listed, as pending: what was not shown must not look as if it had never been claimed.
    describe.skip('with a server', () => block(url));
  });
}
