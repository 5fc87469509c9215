import mysql from 'mysql2/promise';
import { absence } from './absence.mjs';

const DEFAULT_URL = 'mysql://root@127.0.0.1:3306/test';

/** @returns {Promise<{ url: string, absent?: string }>} */
export async function findMariadb() {
  const url = process.env.TEST_MARIADB_URL || DEFAULT_URL;
  try {
    // Without the database of the URL: each suite makes its own, so that one need not exist.
    const { hostname, port, username, password } = new URL(url);
    const connection = await mysql.createConnection({
      host: hostname,
      port: Number(port || 3306),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      connectTimeout: 2_000,
    });
    await connection.query('SELECT 1');
    await connection.end();
    return { url };
  } catch {
    return { url, absent: absence('MariaDB', url, 'TEST_MARIADB_URL') };
  }
}
