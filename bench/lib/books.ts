/** Generated books for scenarios, each made once: with its sums, as a service leaves them that has been running. */

import { fillBook, lastFullHourMs } from './book.ts';
import { runSql, withClient } from './environment.ts';
import type { Context } from './scenario.ts';
import { startService } from './service.ts';
import { isSummed, summed } from './sums.ts';

/** A database with a generated book. */
export interface Book {
  readonly databaseUrl: string;
  /** Charges that it was made with, without replacements. */
  readonly charges: number;
  /** Unix time in milliseconds at which it ends. */
  readonly endMs: number;
}

const HOUR_MS = 3_600_000;

/** The book itself, for scenarios that write nothing. Makes it if there is none. */
export async function openBook(context: Context, charges: number): Promise<Book> {
  const { environment } = context;
  const databaseUrl = (await environment.findDatabase(nameOf(charges))) ?? (await makeBook(context, charges));
  if (!(await isSummed(databaseUrl))) await sumUp(context, databaseUrl, charges);
  const endMs = await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ last: Date }>('SELECT max(create_time) AS last FROM charge');
    return Math.ceil(Number(rows[0]?.last) / HOUR_MS) * HOUR_MS;
  });
  return { databaseUrl, charges, endMs };
}

/** A copy of the book, for scenarios that write. It is dropped after the scenario. */
export async function copyBook(context: Context, charges: number, name: string): Promise<Book> {
  const { environment, stack } = context;
  const book = await openBook(context, charges);
  stack.defer(() => environment.dropDatabase(name));
  return { ...book, databaseUrl: await environment.createDatabase(name, nameOf(charges)) };
}

/** Under another name until it is complete. */
async function makeBook({ environment, ...context }: Context, charges: number): Promise<string> {
  const name = nameOf(charges);
  const unfinished = `${name}_unfinished`;
  const databaseUrl = await environment.createDatabase(unfinished);
  const startedAtMs = performance.now();
  await fillBook(databaseUrl, { charges, endMs: lastFullHourMs(), published: true });
  context.report(`${name}.fill_seconds`, { value: secondsSince(startedAtMs) });
  await runSql(environment.postgres.url, `ALTER DATABASE ${unfinished} RENAME TO ${name}`);
  return databaseUrl.replace(unfinished, name);
}

/** Runs a service until it has summed up the whole book. */
async function sumUp(
  { environment, ...context }: Context,
  databaseUrl: string,
  charges: number,
): Promise<void> {
  const startedAtMs = performance.now();
  const service = await startService(environment, databaseUrl);
  try {
    await summed(databaseUrl);
  } finally {
    await service.stop();
  }
  context.report(`${nameOf(charges)}.sum_seconds`, { value: secondsSince(startedAtMs) });
  await runSql(databaseUrl, 'VACUUM (ANALYZE)');
}

function secondsSince(startedAtMs: number): number {
  return Math.round((performance.now() - startedAtMs) / 1000);
}

function nameOf(charges: number): string {
  return `book_${charges}`;
}
