/** WatchCharges: where it starts, what it delivers, and how it ends. */

import type { ClientReadableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ChargeFilter, type WatchChargesResponse } from '../../../generated/charge/v1/charge_service.ts';
import { databaseUnavailable, overloaded, ServiceError } from '../../../src/errors/failure.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  call,
  chargeRequest,
  errorOf,
  type ErrorSummary,
  type Fixture,
  startServer,
} from '../../grpc/support/server.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer();
});
afterEach(() => fixture.close());

interface Watch {
  readonly stream: ClientReadableStream<WatchChargesResponse>;
  readonly responses: WatchChargesResponse[];
  readonly started: Promise<void>;
  readonly failed: Promise<ErrorSummary>;
}

function watch(startSequence?: bigint, filter?: Partial<ChargeFilter>, { client } = fixture): Watch {
  const stream = client.watchCharges({
    startSequence,
    filter: filter && { ...ChargeFilter.fromPartial({}), ...filter },
  });
  const responses: WatchChargesResponse[] = [];
  stream.on('data', (response: WatchChargesResponse) => responses.push(response));
  const started = new Promise<void>((resolve) => stream.on('metadata', () => resolve()));
  const failed = new Promise<ErrorSummary>((resolve) =>
    stream.on('error', (error) => resolve(errorOf(error))),
  );
  return { stream, responses, started, failed };
}

const sequences = ({ responses }: Watch): (bigint | undefined)[] =>
  responses.map(({ event }) => event?.value.sequence);

async function record(
  from: number,
  to: number,
  charge: Parameters<typeof chargeRequest>[1] = {},
): Promise<void> {
  const { client } = fixture;
  for (let i = from; i <= to; i++) await call(client, 'createCharge', chargeRequest(`r-${i}`, charge));
}

test('delivers what is stored and then what is written, without a gap or a repeat', async () => {
  await record(1, 3);
  const running = watch(2n);
  await waitFor('history', () => running.responses.length === 2);
  await record(4, 5);
  await waitFor('what is new', () => running.responses.length === 4);
  expect(sequences(running)).toEqual([2n, 3n, 4n, 5n]);
  expect(running.responses[0]?.event?.value).toMatchObject({
    eventId: fixture.journal.entries[1]?.charge.id,
    tenant: 'default',
    charge: { id: fixture.journal.entries[1]?.charge.id, userProfile: 'user-1' },
  });
});

test('without a start, delivers what is committed after its headers came', async () => {
  await record(1, 2);
  const running = watch();
  await running.started;
  await record(3, 3);
  await waitFor('what is new', () => running.responses.length === 1);
  expect(sequences(running)).toEqual([3n]);
});

test('may start one after the end, and no further', async () => {
  await record(1, 2);
  const running = watch(3n);
  await running.started;
  expect(await watch(4n).failed).toMatchObject({
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_OUT_OF_RANGE',
    metadata: { start_sequence: '4', last_sequence: '2' },
  });
  expect(await watch(0n).failed).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
});

test('leaves out what the filter does not mean', async () => {
  await record(1, 1, {
    labels: new Map([
      ['team', 'search'],
      ['env', 'prod'],
    ]),
  });
  await record(2, 2, { labels: new Map([['team', 'ads']]) });
  await record(3, 3, { provider: 3, labels: new Map([['team', 'search']]) });
  const byLabel = watch(1n, { labels: new Map([['team', 'search']]) });
  const byProvider = watch(1n, { provider: 3 });
  await waitFor('both', () => byLabel.responses.length === 2 && byProvider.responses.length === 1);
  expect([sequences(byLabel), sequences(byProvider)]).toEqual([[1n, 3n], [3n]]);
});

test('delivers more than one read of history to a slow reader', async () => {
  const { client } = fixture;
  const requests = Array.from({ length: 1000 }, (_, i) =>
    chargeRequest(`r-${i}`, { reference: 'x'.repeat(255) }),
  );
  await call(client, 'batchCreateCharges', { requests });
  const running = watch(1n);
  running.stream.pause();
  await running.started;
  running.stream.resume();
  await waitFor('all', () => running.responses.length === 1000);
  expect(sequences(running)).toEqual(Array.from({ length: 1000 }, (_, i) => BigInt(i + 1)));
});

test('keeps little of a page of large charges for a reader that stands still', async () => {
  const labels = new Map(Array.from({ length: 16 }, (_, i) => [`label-${i}`, 'x'.repeat(255)]));
  await record(1, 1, { labels });
  const [large] = fixture.journal.entries;
  if (large === undefined) throw new Error('nothing was recorded');
  for (let i = 2n; i <= 600n; i++) fixture.journal.entries.push({ ...large, sequence: i });
  const running = watch(1n);
  running.stream.pause();
  await running.started;
  running.stream.resume();
  await waitFor('all', () => running.responses.length === 600);
  expect(sequences(running)).toEqual(Array.from({ length: 600 }, (_, i) => BigInt(i + 1)));
  const [, second] = fixture.journal.journalReads;
  expect(second?.after).toBeGreaterThan(0n);
  expect(second?.after).toBeLessThan(100n);
  // What was dropped costs a few more reads, not a read of everything for each entry.
  const read = fixture.journal.journalReads.reduce((sum, { count }) => sum + count, 0);
  expect(read).toBeLessThan(500 + 2 * 600);
});

const PASSING = [databaseUnavailable(1, 'maybe'), overloaded('read_connections', '8 reads that wait', 1)];

test('outlives what passes for a moment, and not for long', async () => {
  await record(1, 2);
  // Both failures at once: the pauses between the attempts take seconds.
  await Promise.all(
    PASSING.map(async (failure) => {
      const own = await startServer();
      own.journal.entries.push(...fixture.journal.entries);
      const failures = (n: number) => Array.from({ length: n }, () => new ServiceError(failure));
      try {
        own.journal.readFailures.push(...failures(2));
        const running = watch(1n, undefined, own);
        await waitFor('what was read in the end', () => running.responses.length === 2);
        own.journal.readFailures.push(...failures(6));
        expect((await watch(1n, undefined, own).failed).reason).toBe(failure.reason);
        expect(own.journal.readFailures).toEqual([]);
      } finally {
        await own.close();
      }
    }),
  );
});

test('ends at once if the end of the journal cannot be read', async () => {
  fixture.journal.failures.push(new ServiceError(databaseUnavailable(1, 'maybe')));
  expect((await watch(1n).failed).reason).toBe('DATABASE_UNAVAILABLE');
});

test('ends when the caller cancels', async () => {
  const running = watch(1n);
  await running.started;
  running.stream.cancel();
  expect((await running.failed).code).toBe('CANCELLED');
  await waitFor('the place', () => fixture.server.load.watchStreams === 0);
  expect(fixture.counts).toContain('WatchCharges 1');
});
