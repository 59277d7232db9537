/** The whole service is killed under load, and again: afterwards usage is what lists of charges add up to. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type { Charge } from '../../generated/charge/v1/charge.ts';
import { UsageDimension, UsageWindow } from '../../generated/charge/v1/usage_service.ts';
import { amendCharge, create, listAll, voidCharge } from '../charges/support/corrections.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { Service } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { openUsageClient, queryAllUsage, timestamp } from '../usage/support/client.ts';

const START = timestamp('2026-09-10T00:00:00Z');
const END = timestamp('2026-09-14T00:00:00Z');
const QUARTERS = 4 * 96;

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

const start = (): Service => new Service({ DATABASE_URL: database.url, NATS_URL: nats.url });

/** Callers who record, void and amend until the service is gone. Resolves to how many calls succeeded. */
async function writeUntilGone(to: Service, round: number, written: { calls: number }): Promise<void> {
  await Promise.all(
    Array.from({ length: 6 }, async (_, caller) => {
      const client = await to.client();
      try {
        for (let index = 0; ; index++) {
          const name = `${round}-${caller}-${index}`;
          const seconds = START.seconds + BigInt(((index * 37) % QUARTERS) * 900);
          await create(client, name, { userProfile: `user ${index % 5}`, usageTime: { seconds, nanos: 0 } });
          if (index % 4 === 0) await voidCharge(client, name);
          if (index % 4 === 1) await amendCharge(client, name, `new ${name}`, { userProfile: 'new' });
          written.calls++;
        }
      } catch {
        // Killed.
      }
    }),
  );
}

/** How many events are in the kept sums. */
async function readCursor(): Promise<number> {
  const [row] = await query(database.url, 'SELECT sequence::int AS sequence FROM usage_cursor');
  return Number(row?.['sequence']);
}

/** Charges and tokens by user profile and day. */
function sumsOf(charges: readonly Charge[]): Map<string, readonly [charges: bigint, tokens: bigint]> {
  const sums = new Map<string, readonly [bigint, bigint]>();
  for (const { userProfile, usageTime, totalTokens } of charges) {
    const day = ((usageTime?.seconds ?? 0n) - START.seconds) / 86_400n;
    const key = `${userProfile} on day ${day}`;
    const [count, tokens] = sums.get(key) ?? [0n, 0n];
    sums.set(key, [count + 1n, tokens + totalTokens]);
  }
  return sums;
}

test('usage is what the lists add up to', async () => {
  const written = { calls: 0 };
  for (let round = 0; round < 3; round++) {
    service = start();
    await service.ready();
    const before = { cursor: await readCursor(), calls: written.calls };
    const writing = writeUntilGone(service, round, written);
    await waitFor('writes, and sums that follow them', async () => {
      return written.calls > before.calls + 100 && (await readCursor()) > before.cursor;
    });
    await service.end('SIGKILL');
    await writing;
  }
  service = start();
  const { grpc } = await service.ready();
  const usage = openUsageClient(grpc);
  try {
    const ask = async () => {
      const { rows } = await queryAllUsage(usage, {
        filter: { startTime: START, endTime: END },
        groupBy: [UsageDimension.USAGE_DIMENSION_USER_PROFILE],
        window: UsageWindow.USAGE_WINDOW_DAY,
      });
      return new Map(
        rows.map(({ group, windowStart, charges, totalTokens }) => {
          const day = ((windowStart?.seconds ?? 0n) - START.seconds) / 86_400n;
          return [`${group?.userProfile} on day ${day}`, [charges, totalTokens] as const];
        }),
      );
    };
    const expected = sumsOf(await listAll(await service.client()));
    expect(expected.size).toBeGreaterThan(10);
    expect(await ask()).toEqual(expected);
    const [head] = await query(database.url, 'SELECT last_sequence::int AS last FROM journal_head');
    await waitFor('the sums to reach the journal', async () => (await readCursor()) === head?.['last']);
    expect(await ask()).toEqual(expected);
  } finally {
    usage.close();
  }
});
