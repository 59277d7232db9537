/** Counting what is really there, against what was answered OK. */

import { jetstreamManager, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const DRAIN_TIMEOUT_MS = 120_000;
const DRAIN_POLL_MS = 10;

/** What a database and a stream hold. */
export interface Counts {
  readonly charges: number;
  /** Charges in all groups of the journal. */
  readonly journal: number;
  /** Sum of the last numbers of all journals. */
  readonly head: number;
  /** Undefined: this contender publishes nothing. */
  readonly messages: number | undefined;
}

/** Looks at one database and, where there is one, at one stream. */
export class Auditor {
  readonly #databaseUrl: string;
  readonly #natsUrl: string;
  readonly #stream: string | undefined;

  constructor(databaseUrl: string, natsUrl: string, stream: string | undefined) {
    this.#databaseUrl = databaseUrl;
    this.#natsUrl = natsUrl;
    this.#stream = stream;
  }

  /** Counts everything, row by row. */
  async count(): Promise<Counts> {
    const counts = await withClient(this.#databaseUrl, async (client) => {
      const { rows } = await client.query<Record<'charges' | 'journal' | 'head', string>>(
        `SELECT (SELECT count(*) FROM charge) AS charges,
                (SELECT coalesce(sum(cardinality(charge_ids)), 0) FROM journal) AS journal,
                (SELECT sum(last_sequence) FROM journal_head) AS head`,
      );
      return rows[0];
    });
    return {
      charges: Number(counts?.charges),
      journal: Number(counts?.journal),
      head: Number(counts?.head),
      messages: this.#stream === undefined ? undefined : await streamMessages(this.#natsUrl, this.#stream),
    };
  }

  /** Waits until the relay has published everything; the broker has acknowledged it by then. */
  async drained(): Promise<void> {
    const giveUpAtMs = performance.now() + DRAIN_TIMEOUT_MS;
    await withClient(this.#databaseUrl, async (client) => {
      for (;;) {
        const { rows } = await client.query<{ drained: boolean }>({
          name: 'drained',
          text: `SELECT coalesce(sum(last_sequence), 0) = (SELECT coalesce(sum(published_sequence), 0) FROM relay_cursor)
                   AS drained FROM journal_head`,
        });
        if (rows[0]?.drained) return;
        if (performance.now() > giveUpAtMs) throw new Error('the relay did not drain in time');
        await delay(DRAIN_POLL_MS);
      }
    });
  }

  /** Removes dead rows and refreshes the planner's numbers, which autovacuum would do some time later. */
  async vacuum(): Promise<void> {
    await withClient(this.#databaseUrl, async (client) => {
      await client.query('VACUUM (ANALYZE) charge');
      await client.query('VACUUM (ANALYZE) journal');
      await client.query('VACUUM (ANALYZE) journal_head');
      await client.query('VACUUM (ANALYZE) relay_cursor');
    });
  }
}

/** Throws unless everything grew by exactly `rows`. A part that the contender does not write is undefined. */
export function expectGrowth(
  name: string,
  before: Counts,
  after: Counts,
  rows: number,
  parts: readonly (keyof Counts)[],
): void {
  const wrong = parts
    .map((part) => ({ part, grown: (after[part] ?? NaN) - (before[part] ?? NaN) }))
    .filter(({ grown }) => grown !== rows);
  if (wrong.length === 0) return;
  const found = wrong.map(({ part, grown }) => `${part} grew by ${grown}`).join(', ');
  throw new Error(`${name}: ${rows} rows were answered OK, but ${found}`);
}

/** Messages in a stream; 0 while there is no such stream. */
export async function streamMessages(natsUrl: string, stream: string): Promise<number> {
  const connection = await connect({ servers: new URL(natsUrl).host });
  try {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.info(stream)).state.messages;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return 0;
    throw error;
  } finally {
    await connection.close();
  }
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
