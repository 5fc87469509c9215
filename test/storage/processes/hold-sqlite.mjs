// Another program that writes to the same file: holds its write lock until it is told to let go.
import Database from 'better-sqlite3';

const database = new Database(process.argv[2], { timeout: 5_000 });
database.pragma(`journal_mode = ${process.argv[3]}`);
database.exec('CREATE TABLE IF NOT EXISTS others (id INTEGER); BEGIN IMMEDIATE; INSERT INTO others VALUES (1)');
process.on('message', () => {
  database.exec('COMMIT');
  database.close();
  process.exit();
});
process.send('held');
