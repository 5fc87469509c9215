import { stopStartedPostgres } from './servers/postgres.mjs';

/** Jest runs this after a failing run too. */
export default async function stopWhatWasStarted() {
  await stopStartedPostgres();
}
