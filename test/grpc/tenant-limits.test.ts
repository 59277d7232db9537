/** What one tenant may use of a server, and that the others do not notice. */

import { Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';

import { Admission } from '../../src/grpc/admission.ts';
import { DEFAULT_RPC_LIMITS, type RpcLimits } from '../../src/grpc/limits.ts';
import { type LongStream, LongStreams } from '../../src/grpc/long-streams.ts';
import type { TenantLimits } from '../../src/grpc/tenant-limits.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  type CallExtras,
  call,
  chargeRequest,
  errorOf,
  EVERYTHING,
  failureOf,
  type Fixture,
  startServer,
} from './support/server.ts';

const UNLIMITED: TenantLimits = {
  callsInFlightMax: Infinity,
  streamsMax: Infinity,
  chargesPerSecondMax: Infinity,
};

let fixture: Fixture;
afterEach(() => fixture.close());

/** A server on which a call names its tenant in a header, and only the tenant `small` has limits. */
async function start(small: Partial<TenantLimits>, limits: Partial<RpcLimits> = {}): Promise<void> {
  fixture = await startServer(limits, {
    authenticate: (call) => ({ ...EVERYTHING, tenant: call.header('x-tenant') ?? 'default' }),
    limitsOf: (tenant) => (tenant === 'small' ? { ...UNLIMITED, ...small } : UNLIMITED),
  });
}

const create = (tenant: string, requestId: string, extras: CallExtras = {}) =>
  call(fixture.client, 'createCharge', chargeRequest(requestId), {
    ...extras,
    metadata: { 'x-tenant': tenant },
  });
const batch = (tenant: string, ids: readonly string[]) =>
  call(
    fixture.client,
    'batchCreateCharges',
    { requests: ids.map((id) => chargeRequest(id)) },
    { metadata: { 'x-tenant': tenant } },
  );
const headersOf = (tenant: string): Metadata => {
  const headers = new Metadata();
  headers.set('x-tenant', tenant);
  return headers;
};
const idsOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

const exceeded = (limit: string) => ({
  code: 'RESOURCE_EXHAUSTED',
  reason: 'TENANT_LIMIT_EXCEEDED',
  metadata: { limit },
});

describe('calls in flight', () => {
  test('of a tenant are limited exactly, whatever the others do', async () => {
    await start({ callsInFlightMax: 3 });
    const { journal, server, counts } = fixture;
    journal.hold();
    const small = idsOf('small', 50).map((id) =>
      create('small', id).then(
        () => 'OK',
        (error: unknown) => errorOf(error),
      ),
    );
    const others = idsOf('other', 50).map((id) => create('other', id));
    await waitFor('every call', () => journal.heldGroups === 53 && counts.length >= 94);
    expect(server.load.callsInFlight).toBe(53);
    journal.release();
    const outcomes = await Promise.all(small);
    expect(outcomes.filter((outcome) => outcome === 'OK')).toHaveLength(3);
    const refused = outcomes.filter((outcome) => outcome !== 'OK');
    for (const failure of refused) {
      expect(failure).toMatchObject({ ...exceeded('calls_in_flight'), retryAfterMs: 1500 });
    }
    await Promise.all(others);
    expect(counts.filter((count) => count === 'refused TENANT_LIMIT_EXCEEDED')).toHaveLength(47);
    await Promise.all(idsOf('again', 3).map((id) => create('small', id)));
  });

  test('are counted until the work is done, however a call ends', async () => {
    await start({ callsInFlightMax: 1 }, { deadlineMaxMs: 300 });
    const { journal, server } = fixture;
    const ends: Record<string, () => Promise<unknown>> = {
      OK: () => create('small', 'ok'),
      INTERNAL: () => {
        journal.failures.push(new Error('broken'));
        return create('small', 'broken');
      },
      INVALID_ARGUMENT: () => create('small', ''),
      CANCELLED: () => {
        journal.hold();
        return create('small', 'gone', {
          onCall: (running) =>
            void waitFor('the group', () => journal.heldGroups === 1).then(() => running.cancel()),
        });
      },
      DEADLINE_EXCEEDED: () => {
        journal.hold();
        return create('small', 'late', { deadline: Date.now() + 100 });
      },
      "the server's own deadline": () => {
        journal.hold();
        return create('small', 'too late');
      },
    };
    for (const end of Object.values(ends)) {
      await end().catch(() => undefined);
      if (journal.heldGroups > 0) {
        // The caller has its answer, and the work goes on.
        expect(await failureOf(create('small', 'next'))).toMatchObject(exceeded('calls_in_flight'));
      }
      journal.release();
      await waitFor('the end of the call', () => server.load.callsInFlight === 0);
      await create('small', 'room');
    }
  });

  test('above the limit of the server are left to tenants with few', async () => {
    await start({}, { inFlightCallsMax: 2 });
    const { journal, server } = fixture;
    const overloaded = { reason: 'OVERLOADED', metadata: { limit: 'in_flight_calls' } };
    journal.hold();
    const held = [create('a', 'a-1'), create('a', 'a-2')];
    await waitFor('two calls', () => journal.heldGroups === 2);
    expect(await failureOf(create('a', 'a-3'))).toMatchObject(overloaded);
    held.push(create('b', 'b-1'));
    await waitFor('the first call of b', () => journal.heldGroups === 3);
    expect(await failureOf(create('b', 'b-2'))).toMatchObject(overloaded);
    held.push(create('c', 'c-1'));
    await waitFor('the first call of c', () => journal.heldGroups === 4);
    // At twice the limit nobody gets in.
    expect(await failureOf(create('d', 'd-1'))).toMatchObject(overloaded);
    journal.release();
    await Promise.all(held);
    expect(server.load.callsInFlight).toBe(0);
  });
});

describe('open streams', () => {
  const watch = (tenant: string) => {
    const stream = fixture.client.watchCharges(
      { startSequence: undefined, filter: undefined },
      headersOf(tenant),
    );
    const ended = new Promise<unknown>((resolve) => stream.on('error', resolve));
    return { stream, ended };
  };
  const record = (tenant: string) => {
    const stream = fixture.client.recordCharges(headersOf(tenant));
    const ended = new Promise<unknown>((resolve) => {
      stream.on('error', resolve);
      stream.on('end', () => resolve('OK'));
    });
    stream.resume();
    return { stream, ended };
  };
  const open = (): number => fixture.server.load.recordStreams + fixture.server.load.watchStreams;

  test('of a tenant are limited, of every kind together, and the others have their own', async () => {
    await start({ streamsMax: 2 });
    const held = [watch('small'), record('small')];
    await waitFor('two streams', () => open() === 2);
    expect(errorOf(await watch('small').ended)).toMatchObject(exceeded('streams'));
    expect(errorOf(await record('small').ended)).toMatchObject(exceeded('streams'));
    held.push(...idsOf('other', 5).map((tenant) => record(tenant)));
    await waitFor('the streams of others', () => open() === 7);
    for (const { stream } of held) stream.cancel();
    await waitFor('the end of all', () => open() === 0);
  });

  test('make room however they end', async () => {
    await start({ streamsMax: 1 });
    const cancelled = watch('small');
    await waitFor('the watch', () => open() === 1);
    cancelled.stream.cancel();
    await waitFor('its end', () => open() === 0);
    const ok = record('small');
    ok.stream.write({ request: chargeRequest('r-1') });
    ok.stream.end();
    expect(await ok.ended).toBe('OK');
    await waitFor('its end', () => open() === 0);
    const late = fixture.client.recordCharges(headersOf('small'), { deadline: Date.now() + 200 });
    const error = await new Promise((resolve) => late.on('error', resolve));
    expect(errorOf(error).code).toBe('DEADLINE_EXCEEDED');
    await waitFor('its end', () => open() === 0);
    fixture.journal.readFailures.push(new Error('broken'));
    const broken = fixture.client.watchCharges({ startSequence: 1n, filter: undefined }, headersOf('small'));
    expect(errorOf(await new Promise((resolve) => broken.on('error', resolve))).code).toBe('INTERNAL');
    await waitFor('its end', () => open() === 0);
    const last = watch('small');
    await waitFor('room', () => open() === 1);
    last.stream.cancel();
  });
});

describe('charges per second', () => {
  test('of calls are refused beyond the limit, with the time until the next one', async () => {
    await start({ chargesPerSecondMax: 2 });
    await batch('small', idsOf('batch', 100));
    const refused = await failureOf(create('small', 'next'));
    expect(refused).toMatchObject(exceeded('charges_per_second'));
    // 98 charges too many, and one.
    expect(refused.retryAfterMs).toBeGreaterThan(45_000);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(49_500);
    expect(await failureOf(batch('small', ['again']))).toMatchObject(exceeded('charges_per_second'));
    await batch('other', idsOf('other', 1_000));
    expect(fixture.journal.groups).toHaveLength(2);
    // Reads are not limited, and a charge that breaks a rule is not counted.
    expect((await failureOf(create('other', ''))).code).toBe('INVALID_ARGUMENT');
  });

  const recording = (tenant: string, ids: readonly string[]) => {
    const stream = fixture.client.recordCharges(headersOf(tenant));
    const answered: string[] = [];
    stream.on('data', ({ result }: { result?: { charge?: { reference: string } } }) =>
      answered.push(result?.charge?.reference ?? 'rejected'),
    );
    const ended = new Promise<unknown>((resolve) => {
      stream.on('error', (error) => resolve(errorOf(error)));
      stream.on('end', () => resolve('OK'));
    });
    for (const id of ids) stream.write({ request: chargeRequest(id, { reference: id }) });
    return { stream, answered, ended };
  };

  test('of a stream hold it back: every item is recorded, in order, and none is refused', async () => {
    await start({ chargesPerSecondMax: 100 });
    const ids = idsOf('item', 150);
    const { stream, answered, ended } = recording('small', ids);
    stream.end();
    expect(await ended).toBe('OK');
    expect(answered).toEqual(ids);
    const sizes = fixture.journal.groups.map((group) => group.length);
    // As many as the bucket holds, and what it gets while they arrive; the others in tenths of a second.
    expect(sizes.length).toBeGreaterThan(3);
    expect(fixture.counts).not.toContain('refused TENANT_LIMIT_EXCEEDED');
  });

  test('of a stream that is held back do not hold back another tenant', async () => {
    await start({ chargesPerSecondMax: 1 });
    const held = recording('small', idsOf('small', 100));
    await waitFor('the first answer', () => held.answered.length === 1);
    const other = recording('other', idsOf('other', 100));
    other.stream.end();
    expect(await other.ended).toBe('OK');
    expect(other.answered).toHaveLength(100);
    expect(held.answered.length).toBeLessThan(100);
    held.stream.cancel();
    await waitFor('the end of the streams', () => fixture.server.load.recordStreams === 0);
  });

  test('of a stream do not hold back a drain: what was not recorded gets no answer', async () => {
    await start({ chargesPerSecondMax: 1 });
    const { answered, ended } = recording('small', idsOf('item', 1_000));
    await waitFor('the first answer', () => answered.length > 0);
    await fixture.server.drain(600_000);
    expect(await ended).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
    expect(fixture.journal.groups.flat()).toHaveLength(answered.length);
    expect(fixture.server.load.recordStreams).toBe(0);
  });
});

test('a drain ends what is counted for a tenant, and thousands of tenants leave nothing behind', () => {
  const limitsOf = () => ({ ...UNLIMITED, callsInFlightMax: 1, streamsMax: 1 });
  const admission = new Admission(DEFAULT_RPC_LIMITS, limitsOf);
  const streams = new LongStreams({ ...DEFAULT_RPC_LIMITS, streamsMax: 100_000 }, limitsOf);
  const tenants = idsOf('tenant', 5_000);
  const stream = (): LongStream => {
    const self: LongStream = {
      kind: 'watch',
      peer: 'p',
      drain: () => streams.close(self),
      cut: () => undefined,
    };
    return self;
  };
  for (let round = 0; round < 2; round++) {
    for (const tenant of tenants) {
      const one = stream();
      expect([admission.acquire(1), admission.acquireOf(tenant)]).toEqual([undefined, undefined]);
      expect([streams.open(one), streams.acquireOf(tenant, one)]).toEqual([undefined, undefined]);
      const another = stream();
      expect(streams.open(another)).toBeUndefined();
      expect(streams.acquireOf(tenant, another)).toMatchObject({ metadata: { limit: 'streams' } });
      streams.close(another);
      expect(admission.acquireOf(tenant)).toMatchObject({ metadata: { limit: 'calls_in_flight' } });
    }
    void streams.drain(admission.shuttingDown);
    for (const tenant of tenants) {
      admission.releaseOf(tenant);
      admission.release(1);
    }
    expect([admission.callsInFlight, streams.count('watch')]).toEqual([0, 0]);
  }
});
