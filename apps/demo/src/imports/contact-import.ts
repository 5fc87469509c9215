import { setImmediate as nextTurn } from 'node:timers/promises';
import { BadRequestException, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { ActivityContext } from 'nestjs-activity';
import type { Repository } from 'typeorm';
import { grouped } from '../grouped.js';
import { Contact } from './contact.entity.js';
import { CsvHeaderError, readContacts } from './read-contacts.js';

const BATCH = 200;

export interface ImportCounts {
  rows: number;
  imported: number;
  skipped: number;
}

/** Puts a CSV into the table of contacts, a batch of rows to a statement; an e-mail address that is known is updated. */
@Injectable()
export class ContactImport {
  constructor(@InjectRepository(Contact) private readonly contacts: Repository<Contact>) {}

  /**
   * Cancelled, it stops between two batches: what is written stays, and is counted.
   * @throws {BadRequestException} for a file whose first line does not name the columns; the signal's reason.
   */
  async from(file: { path: string; size: number }, activity: ActivityContext): Promise<ImportCounts> {
    const counts: ImportCounts = { rows: 0, imported: 0, skipped: 0 };
    let batch: Contact[] = [];
    let bytes = 0;
    const write = async (): Promise<void> => {
      activity.throwIfCancelled();
      await this.#write(batch);
      counts.imported += batch.length;
      batch = [];
      activity.progress({ current: bytes, total: file.size, unit: 'bytes' });
      activity.metadata.merge({ ...counts });
      // SQLite answers at once, and the loop would leave others no turn.
      await nextTurn();
    };

    try {
      for await (const row of readContacts(file.path)) {
        counts.rows++;
        bytes = row.bytes;
        if (row.contact) {
          batch.push(row.contact);
        } else {
          counts.skipped++;
          activity.log.warn(`line ${row.line}: ${row.problem}`);
        }
        if (batch.length === BATCH) await write();
      }
      await write();
    } catch (error) {
      if (error instanceof CsvHeaderError) throw new BadRequestException(error.message);
      throw error;
    } finally {
      activity.log.info(`${grouped(counts.imported)} rows imported, ${grouped(counts.skipped)} skipped`);
    }
    return counts;
  }

  /** One statement, which takes each key once: of rows with the same address, the last. */
  async #write(batch: readonly Contact[]): Promise<void> {
    const rows = new Map(batch.map((contact) => [contact.email, contact]));
    if (rows.size > 0) await this.contacts.upsert([...rows.values()], ['email']);
  }
}
