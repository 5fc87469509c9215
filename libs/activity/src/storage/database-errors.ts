import { errorText } from '../model/stored-error.js';

/** SQLite: another connection writes, or the disk is full for the moment. */
const SQLITE = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|PROTOCOL)/;
/**
 * PostgreSQL: connection lost (08), resources (53), operator intervention (57: shutdown, starting up, cancelled by a
 * timeout), serialization, deadlock, lock not available, a server that has become a standby, an idle transaction ended.
 */
const POSTGRES = /^(08...|53...|57(014|P0[1-5])|40001|40P01|55P03|25006|25P03)$/;
const MYSQL = new Set([
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CHECKREAD',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_SERVER_SHUTDOWN',
  'ER_NORMAL_SHUTDOWN',
  'ER_QUERY_INTERRUPTED',
  'ER_QUERY_TIMEOUT',
  'ER_CONNECTION_KILLED',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_DISK_FULL',
  'ER_CLIENT_INTERACTION_TIMEOUT',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
  'PROTOCOL_ENQUEUE_AFTER_QUIT',
  'POOL_CLOSED',
]);
const NETWORK = new Set([
  'NO_CONNECTION',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  // The socket file of a server that restarts.
  'ENOENT',
]);
/** Errors of the drivers that have no code. */
const TEXT =
  /Query read timeout|Connection terminated|connection error and is not queryable|Client was closed|timeout exceeded when trying to connect|connection is in closed state/i;

/**
 * No connection could be had, for whatever reason (a password that is being changed, a database that takes no
 * connections for now): what was to be written is not to blame, so it waits.
 */
export class NoConnectionError extends Error {
  readonly code = 'NO_CONNECTION';

  constructor(cause: unknown) {
    super(errorText(cause), { cause });
  }
}

/** True when the same statement may well succeed in a moment: a lock, a deadlock, a database that is away. */
export function isTransient(error: unknown): boolean {
  return chain(error).some(({ code, message }) => {
    if (SQLITE.test(code) || POSTGRES.test(code) || MYSQL.has(code) || NETWORK.has(code)) return true;
    return code === '' && TEXT.test(message);
  });
}

/** True when a lock that somebody holds was waited for in vain; nothing has been written then. */
export function isLockTimeout(error: unknown): boolean {
  return chain(error).some(({ code }) => code === '55P03' || code === 'ER_LOCK_WAIT_TIMEOUT');
}

/** True when a table is not there: never made, or dropped by an app's `synchronize(true)`. */
export function isMissingTable(error: unknown): boolean {
  return chain(error).some(
    ({ code, message }) =>
      code === '42P01' ||
      code === '3F000' ||
      code === 'ER_NO_SUCH_TABLE' ||
      (code === 'SQLITE_ERROR' && message.startsWith('no such table')),
  );
}

/** The error with what it wraps: TypeORM's holds the driver's. */
function chain(error: unknown): { code: string; message: string }[] {
  const found: { code: string; message: string }[] = [];
  for (let current = error; typeof current === 'object' && current !== null && found.length < 5;) {
    const { code, message, driverError, cause } = current as Record<string, unknown>;
    found.push({
      code: typeof code === 'string' ? code : '',
      message: typeof message === 'string' ? message : '',
    });
    current = driverError === current ? cause : (driverError ?? cause);
  }
  return found;
}
