import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { isEmail, isISO8601 } from 'class-validator';
import { CsvError, parse } from 'csv-parse';
import type { Contact } from './contact.entity.js';

const COLUMNS = ['email', 'name', 'company', 'joined'] as const;
const MAX_ROW = 64 * 1024;

type Cells = Record<(typeof COLUMNS)[number], string>;

/** A row of the file: a contact, or what is wrong with it. */
export type Row = RowPlace & ({ contact: Contact; problem?: never } | { contact?: never; problem: string });

interface RowPlace {
  /** Of the file, where the row ends; the first is 1. */
  line: number;
  /** Read so far. */
  bytes: number;
}

export class CsvHeaderError extends Error {
  constructor(found: readonly string[]) {
    const names = found.length > 0 ? `it is "${found.join(',').slice(0, 200)}"` : 'the file is empty';
    super(`The first line must name the columns ${COLUMNS.join(', ')}: ${names}.`);
  }
}

/**
 * Reads a CSV as a stream, in UTF-8, with or without a byte order mark. A row that is wrong is told, and the rest goes on.
 * @throws {CsvHeaderError}, or what the file system says.
 */
export async function* readContacts(path: string): AsyncGenerator<Row> {
  let header: string[] = [];
  const broken: Row[] = [];
  const parser = parse({
    bom: true,
    columns: (names: string[]) => (header = names),
    info: true,
    max_record_size: MAX_ROW,
    skip_empty_lines: true,
    skip_records_with_error: true,
    trim: true,
    on_skip: (error) => {
      if (error) broken.push({ line: Number(error.lines), bytes: parser.info.bytes, problem: describe(error) });
      return undefined;
    },
  });
  // Its errors reach the loop below, which reads from the parser.
  pipeline(createReadStream(path), parser, () => undefined);
  for await (const { record, info } of parser as AsyncIterable<{
    record: Cells;
    info: { lines: number; bytes: number };
  }>) {
    checkHeader(header);
    // The parser is ahead of this loop: what it has skipped further on waits for its turn.
    while (broken[0] && broken[0].line <= info.lines) yield broken.shift()!;
    yield { line: info.lines, bytes: info.bytes, ...toContact(record) };
  }
  checkHeader(header);
  yield* broken;
}

function checkHeader(header: readonly string[]): void {
  if (!COLUMNS.every((column) => header.includes(column))) throw new CsvHeaderError(header);
}

function toContact({ email, name, company, joined }: Cells): { contact: Contact } | { problem: string } {
  if (!isEmail(email)) return { problem: `"${cut(email)}" is no e-mail address` };
  if (name === '') return { problem: 'the name is missing' };
  if (!/^\d{4}-\d\d-\d\d$/.test(joined) || !isISO8601(joined, { strict: true })) {
    return { problem: `"${cut(joined)}" is no day such as 2024-05-31` };
  }
  return { contact: { email: email.toLowerCase(), name: cut(name), company: cut(company) || null, joined } };
}

function describe(error: CsvError): string {
  switch (error.code) {
    case 'CSV_RECORD_INCONSISTENT_COLUMNS':
      return `${(error.record as unknown[]).length} columns instead of ${COLUMNS.length}`;
    case 'CSV_MAX_RECORD_SIZE':
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote is opened, and never closed';
    default:
      return error.message;
  }
}

function cut(text: string): string {
  return text.slice(0, 120);
}
