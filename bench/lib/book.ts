/**
 * A generated book, skewed like real use: a few users and models make most of the charges, at business hours more than
 * at night, in sessions; one charge in a hundred was corrected. The same arguments always make the same book. PostgreSQL
 * makes it itself, from hashes of the charges' numbers.
 */

import { BOOK_MODELS } from './book-models.ts';
import * as changes from './book-changes-sql.ts';
import * as sql from './book-sql.ts';
import { runSql, withClient } from './environment.ts';
import { dropIndexes } from './fill.ts';

/** Which book. */
export interface BookOptions {
  /** Without the replacements of amended ones: 0.3 % more. */
  readonly charges: number;
  /** Its 13 months end here: Unix time in milliseconds of a full hour. */
  readonly endMs: number;
  /** As if the relay had published all of it, or none. */
  readonly published: boolean;
}

/** The time until which a book that is made now should go: the beginning of the hour. */
export function lastFullHourMs(): number {
  return Math.floor(Date.now() / 3_600_000) * 3_600_000;
}

/** Fills an empty, migrated database. Indexes are made afterwards, as in `fillCharges`. */
export async function fillBook(databaseUrl: string, options: BookOptions): Promise<void> {
  const { charges, endMs, published } = options;
  const end = new Date(endMs).toISOString();
  await withClient(databaseUrl, async (client) => {
    await client.query(`SET timezone = 'UTC'; SET work_mem = '256MB'; SET maintenance_work_mem = '1GB'`);
    const makeIndexes = await dropIndexes(client);
    await client.query(sql.modelTable(BOOK_MODELS));
    await client.query(sql.hourTable(charges, end));
    await client.query(sql.insertCharges(charges));
    await client.query(changes.eventTable(charges));
    await client.query(changes.INSERT_REPLACEMENTS);
    await client.query(changes.INSERT_CORRECTIONS);
    await client.query(changes.INSERT_REVISIONS);
    await client.query(sql.insertJournal(charges));
    if (published) await client.query(sql.PUBLISHED);
    await makeIndexes();
  });
  await runSql(databaseUrl, 'VACUUM (ANALYZE, FREEZE)', 'CHECKPOINT');
}
