import { createHash } from 'node:crypto';

/** Beyond this each statement is planned anew: a connection of the server keeps every one that it has been given. */
const MOST = 64;

/**
 * Names for statements of PostgreSQL, which the server then plans once for each connection, not once for each batch.
 * A pooler between us and the server that hands a connection from transaction to transaction loses them: who is told so
 * gives no more names.
 */
export class PreparedStatements {
  readonly #names = new Map<string, string>();
  #isOff = false;

  nameOf(sql: string): string | undefined {
    if (this.#isOff) return undefined;
    let name = this.#names.get(sql);
    if (name === undefined && this.#names.size < MOST) {
      // Of the text: two versions of this package behind one pooler must not have one name for two statements.
      name = `activity-${createHash('sha256').update(sql).digest('base64url').slice(0, 20)}`;
      this.#names.set(sql, name);
    }
    return name;
  }

  /** @returns whether the error came of a name, and none is given from now on. */
  areLost(error: unknown): boolean {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    // invalid_sql_statement_name, duplicate_prepared_statement
    if (code !== '26000' && code !== '42P05') return false;
    this.#isOff = true;
    return true;
  }
}
