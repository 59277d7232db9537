/** Closed periods, histories and watches of charges that were corrected or repriced. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { ChargeState } from '../../generated/charge/v1/charge.ts';
import type {
  ClosePeriodResponse,
  GetChargeHistoryResponse,
  GetChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { call, errorOf } from '../support/server.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  OCTOBER,
  openCorrectionServer,
  reprice,
  SEPTEMBER_10,
  totalOfList,
  totalsOfEvents,
  voidCharge,
  watch,
} from './support/corrections.ts';

let server: CorrectionServer;
beforeEach(async () => {
  server = await openCorrectionServer();
});
afterEach(() => server.close());

const getCharge = (requestId: string) =>
  call<GetChargeResponse>((callback) =>
    server.client.getCharge({ key: { $case: 'requestId', value: requestId } }, callback),
  );
const history = (requestId: string) =>
  call<GetChargeHistoryResponse>((callback) =>
    server.client.getChargeHistory({ key: { $case: 'requestId', value: requestId } }, callback),
  );
const closePeriod = (endTime: { seconds: bigint; nanos: number }) =>
  call<ClosePeriodResponse>((callback) => server.client.closePeriod({ endTime }, callback));

describe('a closed period', () => {
  test('needs allow_closed_period for corrections, accepts late charges, and a total as of its sequence stays', async () => {
    const { client } = server;
    await create(client, 'z1');
    const closed = await closePeriod(OCTOBER);
    expect(closed).toEqual({ endTime: OCTOBER, sequence: 1n });
    const refusal = { code: 'FAILED_PRECONDITION', reason: 'PERIOD_CLOSED' };
    const metadata = { end_time: '2026-10-01T00:00:00.000Z', sequence: '1' };
    const late = { requestId: 'z2', reason: 'late' };
    expect(await errorOf(voidCharge(client, 'z1', late))).toMatchObject({ ...refusal, metadata });
    expect(
      (await create(client, 'z3', { userProfile: 'bob', promptTokens: 2000n })).charge?.cost,
    ).toMatchObject({
      amount: { nanos: 10_000_000n },
    });
    const inSeptember = { endTime: OCTOBER };
    const asOf = async (sequence: number) =>
      [...totalsOfEvents(await watch(client, sequence)).values()].reduce((sum, { nanos }) => sum + nanos, 0n);
    expect(await asOf(1)).toBe(7_500_000n);
    const voided = await voidCharge(client, 'z1', { ...late, allowClosedPeriod: true });
    expect(voided).toMatchObject({
      charge: { state: ChargeState.CHARGE_STATE_VOIDED },
      correction: { closedPeriod: true, sequence: 3n },
    });
    // Whether it was allowed is not part of what makes a request the same.
    expect(await voidCharge(client, 'z1', late)).toEqual({ ...voided, replayed: true });
    expect(await asOf(1)).toBe(7_500_000n);
    expect(await asOf(3)).toBe(10_000_000n);
    expect(await totalOfList(client, inSeptember)).toMatchObject({ nanos: 10_000_000n });
  });

  test('closes again with the same answer, later too, and never earlier', async () => {
    const { client } = server;
    await create(client, '1');
    const first = await closePeriod(OCTOBER);
    await create(client, '2');
    expect(await closePeriod(OCTOBER)).toEqual(first);
    const november = { seconds: OCTOBER.seconds + 31n * 86_400n, nanos: 1_000 };
    expect(await closePeriod(november)).toEqual({ endTime: november, sequence: 2n });
    expect(await errorOf(closePeriod(OCTOBER))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'PERIOD_CLOSED',
      metadata: { end_time: '2026-11-01T00:00:00.000001Z', sequence: '2' },
    });
    expect(await server.rows()).toMatchObject({ closed: 2 });
    const future = { seconds: BigInt(Math.trunc(Date.now() / 1000)) + 3600n, nanos: 0 };
    expect(await errorOf(closePeriod(future))).toMatchObject({ reason: 'VALIDATION_FAILED' });
  });

  test('concerns an amendment by the usage time of the original and of the replacement', async () => {
    const { client } = server;
    await create(client, 'before');
    await create(client, 'after', { usageTime: OCTOBER });
    await closePeriod(OCTOBER);
    const open = { usageTime: OCTOBER, promptTokens: 1n };
    const past = { usageTime: SEPTEMBER_10, promptTokens: 1n };
    expect(await errorOf(amendCharge(client, 'before', 'n', open))).toMatchObject({
      reason: 'PERIOD_CLOSED',
    });
    expect(await errorOf(amendCharge(client, 'after', 'n', past))).toMatchObject({ reason: 'PERIOD_CLOSED' });
    expect(await server.rows()).toMatchObject({ charges: 2, corrections: 0 });
    expect((await amendCharge(client, 'after', 'n', open)).correction?.closedPeriod).toBe(false);
    const allowed = await amendCharge(client, 'before', 'o', open, { allowClosedPeriod: true });
    expect(allowed.correction?.closedPeriod).toBe(true);
  });
});

describe('the history of a charge', () => {
  test('has every cost with its lines, who made it and why, and the correction', async () => {
    const { client } = server;
    const { charge } = await create(client, 'h');
    await server.addPrice({ input: 1_000_000n, output: 0n });
    await reprice(server.pool, charge?.id ?? '', 6_000_000n);
    await reprice(server.pool, charge?.id ?? '', 5_000_000n);
    const { correction } = await voidCharge(client, 'h');
    const { charge: current, costs, correction: told } = await history('h');
    expect(told).toEqual(correction);
    expect(current).toMatchObject({
      state: ChargeState.CHARGE_STATE_VOIDED,
      cost: { revision: 2, amount: { nanos: 5_000_000n } },
    });
    expect(costs).toMatchObject([
      {
        cost: { revision: 0, amount: { nanos: 7_500_000n }, priceVersion: 1n },
        createTime: charge?.createTime,
        runId: '',
        reason: '',
        sequence: 0n,
      },
      { cost: { revision: 1, amount: { nanos: 6_000_000n } }, reason: 'a better price', sequence: 2n },
      { cost: { revision: 2, amount: { nanos: 5_000_000n } }, reason: 'a better price', sequence: 3n },
    ]);
    expect(costs[0]?.cost?.lines).toEqual([
      { kind: 1, quantity: 1000n, nanosPerMillion: 2_500_000_000n, nanos: 2_500_000n },
      { kind: 2, quantity: 500n, nanosPerMillion: 10_000_000_000n, nanos: 5_000_000n },
    ]);
    expect((await getCharge('h')).charge?.cost).toEqual(costs[2]?.cost);
    expect(await errorOf(history('unknown'))).toMatchObject({ reason: 'CHARGE_NOT_FOUND' });
  });

  test('of a charge without a price has a cost without lines', async () => {
    await create(server.client, 'u', { model: 'unknown' });
    const { costs, correction } = await history('u');
    expect(correction).toBeUndefined();
    expect(costs).toMatchObject([{ cost: { amount: undefined, unpricedReason: 1, lines: [] } }]);
  });
});

test('a watch delivers every kind in one sequence, and a filter finds both charges of an amendment', async () => {
  const { client } = server;
  const { charge } = await create(client, 'a', { userProfile: 'alice' });
  await reprice(server.pool, charge?.id ?? '', 6_000_000n);
  await amendCharge(client, 'a', 'b', { userProfile: 'bob' });
  await voidCharge(client, 'b');
  const events = await watch(client, 4);
  expect(events.map(({ event }) => event?.value.sequence)).toEqual([1n, 2n, 3n, 4n]);
  expect(events.map(({ event }) => event?.value)).toMatchObject([
    { charge: { cost: { amount: { nanos: 7_500_000n }, revision: 0 }, state: 1 } },
    {
      charge: { cost: { amount: { nanos: 6_000_000n }, revision: 1 }, state: 1 },
      previousCost: { amount: { nanos: 7_500_000n }, revision: 0 },
      runId: expect.stringMatching(/./) as unknown,
    },
    {
      charge: { userProfile: 'bob', state: 1 },
      original: { userProfile: 'alice', state: 3, cost: { amount: { nanos: 6_000_000n }, revision: 1 } },
      correction: { state: 3, sequence: 3n },
    },
    { charge: { userProfile: 'bob', state: 2 }, correction: { state: 2, sequence: 4n } },
  ]);
  const sequences = async (userProfile: string, count: number) =>
    (await watch(client, count, { userProfile })).map(({ event }) => event?.value.sequence);
  expect(await sequences('alice', 3)).toEqual([1n, 2n, 3n]);
  expect(await sequences('bob', 2)).toEqual([3n, 4n]);
});
