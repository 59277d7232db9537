/** Voids and amendments while server processes are killed: what was acknowledged is there once, and nothing is half done. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type { ChargeServiceClient } from '../../generated/charge/v1/charge_service.ts';
import {
  amendCharge,
  create,
  totalsOfEvents,
  totalsOfList,
  voidCharge,
  watch,
} from '../charges/support/corrections.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { Service } from '../support/service.ts';
import { readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';
import { readyz } from './support.ts';

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

/** A correction and the call that repeats it. */
interface Done {
  readonly correctionId: string | undefined;
  readonly again: (
    client: ChargeServiceClient,
  ) => Promise<{ replayed: boolean; correction: { id: string } | undefined }>;
}

test('what was acknowledged is there once, and nothing is half done', async () => {
  service = new Service({ DATABASE_URL: database.url, NATS_URL: nats.url, PROCESSES: '2' });
  const { http } = await service.ready();
  const acknowledged: Done[] = [];
  /** Calls without an answer: they may have happened. */
  const unknown: Done['again'][] = [];
  let running = true;
  const callers = Array.from({ length: 8 }, async (_, caller) => {
    const client = await service.client();
    for (let i = 0; running; i++) {
      const name = `${caller}-${i}`;
      const again: Done['again'] =
        i % 2 === 0
          ? (on) => voidCharge(on, name)
          : (on) => amendCharge(on, name, `new-${name}`, { userProfile: 'bob' });
      let created = false;
      try {
        await create(client, name);
        created = true;
        acknowledged.push({ correctionId: (await again(client)).correction?.id, again });
      } catch {
        if (created) unknown.push(again);
        await new Promise((resolve) => client.waitForReady(Date.now() + 10_000, resolve));
      }
    }
  });
  try {
    for (let round = 0; round < 4; round++) {
      const target = acknowledged.length + 30;
      await waitFor('more corrections', () => acknowledged.length > target, { timeoutMs: 90_000 });
      for (const pid of await service.serverPids()) process.kill(pid, 'SIGKILL');
    }
    await waitFor('both processes', async () => (await readyz(http)).checks['server_processes'] === '2 of 2');
  } finally {
    running = false;
    await Promise.all(callers);
  }
  expect(unknown.length).toBeGreaterThan(0);

  const client = await service.client();
  for (const { correctionId, again } of acknowledged) {
    const { replayed, correction } = await again(client);
    expect({ replayed, id: correction?.id }).toEqual({ replayed: true, id: correctionId });
  }
  // A repeat settles each of the others: it was done before, or it is done now.
  for (const again of unknown) await again(client);
  await expectNothingHalfDone();

  const [head] = await query(database.url, 'SELECT last_sequence::int AS last FROM journal_head');
  const last = Number(head?.['last']);
  const events = await watch(client, last);
  expect(events.map(({ event }) => event?.value.sequence)).toEqual(events.map((_, i) => BigInt(i + 1)));
  expect(totalsOfEvents(events)).toEqual(await totalsOfList(client));
  await waitFor('every event', async () => (await readStream(nats.url)).length >= last);
  const published = (await readStream(nats.url)).map(({ headers }) => Number(headers['ce-sequence']));
  expect(published).toEqual(events.map((_, i) => i + 1));
});

/** Each correction has its charge, its entry in the journal and, if it is an amendment, its replacement; and back. */
async function expectNothingHalfDone(): Promise<void> {
  const [counts] = await query(
    database.url,
    `WITH entry AS (SELECT kind, unnest(event_ids) AS id FROM journal)
     SELECT
       (SELECT count(*)::int FROM correction WHERE state = 3 AND NOT EXISTS (
          SELECT FROM charge WHERE charge.id = replacement_id AND charge.amends = charge_id)) AS without_replacement,
       (SELECT count(*)::int FROM charge WHERE amends IS NOT NULL AND NOT EXISTS (
          SELECT FROM correction WHERE replacement_id = charge.id)) AS without_correction,
       (SELECT count(*)::int FROM correction WHERE (SELECT count(*) FROM entry
          WHERE entry.id = correction.id AND entry.kind = correction.state) <> 1) AS without_entry,
       (SELECT count(*)::int FROM charge WHERE (SELECT count(*) FROM entry
          WHERE entry.id = charge.id AND entry.kind = 1) <> (amends IS NULL)::int) AS wrong_entries`,
  );
  expect(counts).toEqual({
    without_replacement: 0,
    without_correction: 0,
    without_entry: 0,
    wrong_entries: 0,
  });
}
