/**
 * No charge is lost because of its usage time. The table has no partitions or ranges that could be missing; whatever
 * the contract accepts is stored, listed, counted in the journal and found again.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { Timestamp } from '../../generated/google/protobuf/timestamp.ts';
import { call, errorOf } from '../support/server.ts';
import { getCharge, requestOf } from './support/archive.ts';
import {
  type CorrectionServer,
  create,
  listAll,
  openCorrectionServer,
  watch,
} from './support/corrections.ts';
import type {
  BatchCreateChargesResponse,
  RecordChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';

let server: CorrectionServer;
beforeAll(async () => {
  server = await openCorrectionServer();
});
afterAll(() => server.close());

const DAY_S = 86_400n;
const YEAR_1_S = -62_135_596_800n;
/** As far in the future as the contract accepts, but for the time that the test takes. */
const latestSeconds = (): bigint => BigInt(Math.floor(Date.now() / 1000)) + DAY_S - 300n;

const at = (seconds: bigint, micros = 0): Timestamp => ({ seconds, nanos: micros * 1000 });
const textTime = (text: string): Timestamp => at(BigInt(Date.parse(text) / 1000));

/** Where years, centuries, months, days of leap years, epochs and the range itself begin and end. */
const CORNERS: readonly Timestamp[] = [
  at(YEAR_1_S),
  at(YEAR_1_S, 1),
  textTime('0001-12-31T23:59:59Z'),
  textTime('0999-12-31T23:59:59Z'),
  textTime('1582-10-10T00:00:00Z'),
  textTime('1900-02-28T23:59:59Z'),
  textTime('1969-12-31T23:59:59Z'),
  at(-1n, 999_999),
  at(0n),
  at(0n, 1),
  textTime('1999-12-31T23:59:59Z'),
  textTime('2000-01-01T00:00:00Z'),
  textTime('2000-02-29T12:00:00Z'),
  textTime('2024-02-29T23:59:59Z'),
  textTime('2024-12-31T23:59:59Z'),
  at(BigInt(Math.floor(Date.now() / 1000))),
  at(latestSeconds(), 999_999),
];

const times = fc.oneof(
  fc.constantFrom(...CORNERS),
  fc
    .tuple(fc.bigInt({ min: YEAR_1_S, max: latestSeconds() }), fc.nat(999_999))
    .map(([seconds, micros]) => at(seconds, micros)),
);

/** Records each in one of the three ways, and returns the ids in order. */
async function recordEach(user: string, usageTimes: readonly Timestamp[]): Promise<string[]> {
  const { client } = server;
  const requests = usageTimes.map((usageTime, i) =>
    requestOf(`${user} ${i}`, { userProfile: user, usageTime }),
  );
  const ids: string[] = [];
  for (const [i, request] of requests.entries()) {
    if (i % 3 === 0) {
      ids.push((await create(client, request.requestId, { ...request.charge })).charge?.id ?? '');
    } else if (i % 3 === 1) {
      const batch = await call<BatchCreateChargesResponse>((callback) =>
        client.batchCreateCharges({ requests: [request] }, callback),
      );
      ids.push(batch.results[0]?.charge?.id ?? '');
    } else {
      const stream = client.recordCharges();
      const answer = new Promise<RecordChargesResponse>((resolve, reject) =>
        stream.once('data', resolve).once('error', reject),
      );
      stream.write({ request });
      ids.push((await answer).result?.charge?.id ?? '');
      stream.end();
    }
  }
  return ids;
}

const isBefore = (a: Timestamp, b: Timestamp): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos);

let runs = 0;

/** Records charges of these times, and expects to find each of them in every way. */
async function expectNoneLost(usageTimes: readonly Timestamp[], split: Timestamp): Promise<void> {
  const { client } = server;
  const user = `user ${runs++}`;
  const { sequence: before } = await server.rows();
  const ids = await recordEach(user, usageTimes);
  expect(new Set(ids).size).toBe(usageTimes.length);

  const listed = await listAll(client, { userProfile: user });
  expect(listed.map(({ id }) => id).sort()).toEqual(ids.toSorted());
  for (const [i, usageTime] of usageTimes.entries())
    expect((await getCharge(client, `${user} ${i}`)).charge).toMatchObject({ id: ids[i], usageTime });
  // Every moment belongs to exactly one of two ranges that meet.
  const earlier = await listAll(client, { userProfile: user, endTime: split });
  const later = await listAll(client, { userProfile: user, startTime: split });
  expect(earlier.map(({ id }) => id).sort()).toEqual(
    ids.filter((_, i) => isBefore(usageTimes[i] ?? split, split)).sort(),
  );
  expect(earlier.length + later.length).toBe(usageTimes.length);
  const events = await watch(client, usageTimes.length, {}, BigInt(before + 1));
  expect(
    events.map(({ event }) => event?.$case === 'chargeCreated' && event.value.charge?.id).sort(),
  ).toEqual(ids.toSorted());
}

test('whatever usage time the contract accepts, the charge is stored, listed once, numbered and found', async () => {
  await expectNoneLost(CORNERS, at(0n));
  await fc.assert(fc.asyncProperty(fc.array(times, { minLength: 1, maxLength: 8 }), times, expectNoneLost), {
    numRuns: 25,
  });
});

test('what the contract does not accept is refused, not lost', async () => {
  const violationOf = async (usageTime: Timestamp) =>
    (await errorOf(create(server.client, `refused ${usageTime.seconds}`, { usageTime }))).violations;
  const before = await server.rows();
  expect(await violationOf(at(YEAR_1_S - 1n))).toMatchObject([{ field: 'charge.usage_time' }]);
  expect(await violationOf(at(latestSeconds() + 600n))).toMatchObject([{ field: 'charge.usage_time' }]);
  expect(await server.rows()).toEqual(before);
});
