/** The kept sums of usage (`usage_rollup`) as the database has them: how far they are, and how to hold them back. */

import { setTimeout as delay } from 'node:timers/promises';

import pg from 'pg';

import { withClient } from './environment.ts';

const TIMEOUT_MS = 3_600_000;
const POLL_MS = 50;

const STATE = {
  name: 'sums',
  text: `SELECT (SELECT sequence FROM usage_cursor WHERE tenant = 'default') AS summed,
           (SELECT last_sequence FROM journal_head WHERE tenant = 'default') AS recorded`,
};

/** Whether the sums have everything that is recorded. */
export function isSummed(databaseUrl: string): Promise<boolean> {
  return withClient(databaseUrl, async (client) => {
    const { summed, recorded } = await readState(client);
    return summed === recorded;
  });
}

/** Waits until the sums have everything that is recorded. Throws if they stand still for an hour. */
export function summed(databaseUrl: string): Promise<void> {
  return withClient(databaseUrl, async (client) => {
    const giveUpAtMs = performance.now() + TIMEOUT_MS;
    for (;;) {
      const { summed, recorded } = await readState(client);
      if (summed === recorded) return;
      if (performance.now() > giveUpAtMs) throw new Error(`the sums stand at ${summed} of ${recorded}`);
      await delay(POLL_MS);
    }
  });
}

/**
 * Works while nobody adds to the sums: a session of its own locks the row of the cursor, and those who would add to the
 * sums pass over a locked row. Throws if the sums moved nevertheless.
 */
export function withoutSumming<T>(databaseUrl: string, work: () => Promise<T>): Promise<T> {
  return withClient(databaseUrl, async (client) => {
    await client.query('BEGIN');
    await client.query(`SELECT FROM usage_cursor WHERE tenant = 'default' FOR UPDATE`);
    const before = await readState(client);
    const result = await work();
    const after = await readState(client);
    if (before.summed !== after.summed) throw new Error('the sums moved although their cursor was locked');
    await client.query('ROLLBACK');
    return result;
  });
}

/** Measures how long it takes until a number of the journal is in the sums. */
export class LagWatch {
  readonly #client: pg.Client;
  readonly #lagsMs: number[] = [];
  #waiting: { readonly recorded: number; readonly atMs: number }[] = [];
  #watching = true;
  readonly #done: Promise<void>;

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#done = this.#watch();
  }

  static async start(databaseUrl: string): Promise<LagWatch> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    return new LagWatch(client);
  }

  /** Lags in milliseconds, of one number of the journal every {@link POLL_MS}. Those not yet in the sums are left out. */
  async stop(): Promise<readonly number[]> {
    this.#watching = false;
    await this.#done;
    await this.#client.end();
    return this.#lagsMs;
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      const { summed, recorded } = await readState(this.#client);
      const nowMs = performance.now();
      const arrived = this.#waiting.filter((one) => one.recorded <= summed);
      this.#lagsMs.push(...arrived.map(({ atMs }) => nowMs - atMs));
      this.#waiting = this.#waiting.filter((one) => one.recorded > summed);
      if (recorded > (this.#waiting.at(-1)?.recorded ?? summed))
        this.#waiting.push({ recorded, atMs: nowMs });
      await delay(POLL_MS);
    }
  }
}

async function readState(client: pg.Client): Promise<{ readonly summed: number; readonly recorded: number }> {
  const { rows } = await client.query<{ summed: string | null; recorded: string }>(STATE);
  return { summed: Number(rows[0]?.summed ?? 0), recorded: Number(rows[0]?.recorded) };
}
