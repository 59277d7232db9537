/** Counts what PostgreSQL and the stream hold, to compare it with what was answered OK. */

import { setTimeout as delay } from 'node:timers/promises';
import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

import { CHARGE_STATE } from '../../src/charges/charge.ts';
import { JOURNAL_KIND } from '../../src/journal/index.ts';
import { withClient } from './environment.ts';

const DRAIN_TIMEOUT_MS = 120_000;
const DRAIN_POLL_MS = 10;

/** Numbers of rows or messages by where they were counted. */
export type Counts = Readonly<Record<string, number>>;

/** Counts charges, row by row. */
export function countCharges(databaseUrl: string): Promise<Counts> {
  return count(databaseUrl, 'SELECT count(*) AS charges FROM charge');
}

/** Counts charges, charges in the entries of the journal, and the journal's last number. */
export function countJournal(databaseUrl: string): Promise<Counts> {
  return count(
    databaseUrl,
    `SELECT (SELECT count(*) FROM charge) AS charges,
            coalesce(sum(cardinality(event_ids)), 0) AS journal,
            coalesce(max(last_sequence), 0) AS last_sequence
     FROM journal`,
  );
}

/** Counts the charges that have a cost, or those that have none. */
export function countCosts(databaseUrl: string, having: 'priced' | 'unpriced'): Promise<Counts> {
  const condition = having === 'priced' ? 'IS NOT NULL' : 'IS NULL';
  return count(databaseUrl, `SELECT count(*) AS ${having} FROM charge WHERE cost_nanos ${condition}`);
}

/** Counts voided charges, events of the journal that say so, and the journal's last number. */
export async function countVoids(databaseUrl: string): Promise<Counts> {
  return count(
    databaseUrl,
    `SELECT (SELECT count(*) FROM correction WHERE state = ${CHARGE_STATE.voided}) AS corrections,
            coalesce(sum(cardinality(event_ids)) FILTER (WHERE kind = ${JOURNAL_KIND.voided}), 0) AS journal,
            coalesce(max(last_sequence), 0) AS last_sequence
     FROM journal`,
  );
}

/** Counts the costs that charges got later, events of the journal that say so, and the journal's last number. */
export function countRevisions(databaseUrl: string): Promise<Counts> {
  return count(
    databaseUrl,
    `SELECT (SELECT count(*) FROM cost_revision) AS revisions,
            coalesce(sum(cardinality(event_ids)) FILTER (WHERE kind = ${JOURNAL_KIND.repriced}), 0) AS journal,
            coalesce(max(last_sequence), 0) AS last_sequence
     FROM journal`,
  );
}

/** Throws unless every entry of the journal begins with the number after the last one of the entry before it. */
export async function expectNoGap(databaseUrl: string): Promise<void> {
  const { gaps } = await count(
    databaseUrl,
    `SELECT count(*) AS gaps
     FROM (SELECT last_sequence, cardinality(event_ids) AS events,
                  lag(last_sequence, 1, 0::bigint) OVER (PARTITION BY tenant ORDER BY last_sequence) AS before
           FROM journal) AS entries
     WHERE before + events <> last_sequence`,
  );
  if (gaps !== 0) throw new Error(`the journal has ${gaps ?? NaN} gaps`);
}

/** Counts the messages of a stream; 0 if there is no such stream. */
export function countMessages(natsUrl: string, stream: string): Promise<Counts> {
  return withJetStream(natsUrl, async (manager) => {
    try {
      return { messages: (await manager.streams.info(stream)).state.messages };
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound)
        throw error;
      return { messages: 0 };
    }
  });
}

/** Deletes a stream, if it exists: a new one remembers no message ids. */
export function deleteStream(natsUrl: string, stream: string): Promise<void> {
  return withJetStream(natsUrl, async (manager) => {
    await manager.streams.delete(stream).catch(() => undefined);
  });
}

/** Throws unless everything that was counted grew by exactly `rows`. */
export function expectGrowth(name: string, before: Counts, after: Counts, rows: number): void {
  const wrong = Object.entries(after)
    .map(([part, value]) => ({ part, grown: value - (before[part] ?? NaN) }))
    .filter(({ grown }) => grown !== rows);
  if (wrong.length === 0) return;
  const found = wrong.map(({ part, grown }) => `${part} grew by ${grown}`).join(', ');
  throw new Error(`${name}: ${rows} rows were answered OK, but ${found}`);
}

/** Waits until the relay's cursor is at the end of the journal: the broker has acknowledged everything by then. */
export async function drained(databaseUrl: string): Promise<void> {
  const giveUpAtMs = performance.now() + DRAIN_TIMEOUT_MS;
  await withClient(databaseUrl, async (client) => {
    for (;;) {
      const { rows } = await client.query<{ drained: boolean }>({
        name: 'drained',
        text: `SELECT coalesce((SELECT max(last_sequence) FROM journal WHERE tenant = 'default'), 0)
                 = coalesce((SELECT published_sequence FROM relay_cursor WHERE tenant = 'default'), 0) AS drained`,
      });
      if (rows[0]?.drained) return;
      if (performance.now() > giveUpAtMs) throw new Error('the relay did not drain in time');
      await delay(DRAIN_POLL_MS);
    }
  });
}

/** Does what autovacuum, which is off, would do at some time. */
export function vacuum(databaseUrl: string): Promise<void> {
  return withClient(databaseUrl, async (client) => void (await client.query('VACUUM (ANALYZE)')));
}

function count(databaseUrl: string, sql: string): Promise<Counts> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<Record<string, string>>(sql);
    return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([part, value]) => [part, Number(value)]));
  });
}

async function withJetStream<T>(
  natsUrl: string,
  work: (manager: JetStreamManager) => Promise<T>,
): Promise<T> {
  const connection = await connect({ servers: new URL(natsUrl).host });
  try {
    return await work(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}
