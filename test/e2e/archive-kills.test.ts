/** Charges are archived and recorded again while server processes are killed: none is lost, and none counts twice. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { type ChargeServiceClient, Outcome } from '../../generated/charge/v1/charge_service.ts';
import { archive, createBatch } from '../charges/support/archive.ts';
import { create, watch } from '../charges/support/corrections.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { decodeError, decodeStatus } from '../support/server.ts';
import { Service } from '../support/service.ts';
import { readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';

const CHARGES = 400;
const PAGE = 10;

let database: TestDatabase;
let nats: TestNats;
let service: Service;
beforeEach(async () => {
  [database, nats] = await Promise.all([createMigratedDatabase(), startTestNats()]);
});
afterEach(async () => {
  await service.cleanUp();
  await Promise.all([database.drop(), nats.stop()]);
});

/** Repeats a call until a server process answers it. */
async function untilAnswered<T>(client: ChargeServiceClient, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const { code } = decodeError(error);
      if (code !== 'UNAVAILABLE') throw error;
      await new Promise((resolve) => client.waitForReady(Date.now() + 10_000, resolve));
    }
  }
}

test('each charge is archived once, and never recorded again', async () => {
  service = new Service({ DATABASE_URL: database.url, NATS_URL: nats.url, PROCESSES: '2' });
  await service.ready();
  const client = await service.client();
  const names = Array.from({ length: CHARGES }, (_, i) => `c${i}`);
  const ids = (await createBatch(client, names)).results.map(({ charge }) => charge?.id ?? '');
  // As if the period had been closed 20 minutes after everything was recorded.
  await query(
    database.url,
    `INSERT INTO period_close (tenant, end_time, create_time, sequence)
     SELECT tenant, '2026-10-01T00:00:00Z', now() + interval '20 minutes', last_sequence FROM journal_head`,
  );
  await waitFor('the relay', async () => (await readStream(nats.url)).length >= CHARGES);
  await waitFor('the sums of usage', async () => {
    const [cursor] = await query(database.url, 'SELECT sequence::int FROM usage_cursor');
    return Number(cursor?.['sequence']) >= CHARGES;
  });

  let kills = 0;
  let running = true;
  const kill = async (): Promise<void> => {
    for (const pid of await service.serverPids()) {
      process.kill(pid, 'SIGKILL');
      kills++;
    }
  };
  const other = await service.client();
  const repeater = (async () => {
    while (running) {
      const { results } = await untilAnswered(other, () => createBatch(other, names.slice(0, 100)));
      for (const { outcome, status } of results) {
        if (outcome === Outcome.OUTCOME_REPLAYED) continue;
        expect(decodeStatus(status).reason).toBe('CHARGE_ARCHIVED');
      }
    }
  })();
  let archived = 0;
  try {
    for (let next = 0; next < CHARGES; next += PAGE) {
      const page = ids.slice(next, next + PAGE);
      const answered = untilAnswered(client, () => archive(client, page));
      // While that page is being archived.
      const isKilled = next % (10 * PAGE) === 9 * PAGE;
      const [result] = await Promise.all([answered, isKilled ? kill() : undefined]);
      expect(result.archived + result.alreadyArchived).toBe(PAGE);
      archived += result.archived;
    }
  } finally {
    running = false;
    await repeater;
  }
  expect(kills).toBeGreaterThan(2);
  expect(archived).toBeGreaterThan(0);

  const [counts] = await query(
    database.url,
    `SELECT (SELECT count(*)::int FROM charge) AS charges, (SELECT count(*)::int FROM archived_charge) AS archived,
       (SELECT last_sequence::int FROM journal_head) AS sequence`,
  );
  expect(counts).toEqual({ charges: 0, archived: CHARGES, sequence: CHARGES });
  // The book goes on, and so does its stream.
  await untilAnswered(client, () => create(client, 'later'));
  const [event] = await watch(client, 1, {}, BigInt(CHARGES + 1));
  expect(event?.event).toMatchObject({ $case: 'chargeCreated' });
  await waitFor('the last event', async () => (await readStream(nats.url)).length === CHARGES + 1);
});
