/** What `/readyz` says about each part. */

import { expect, test } from '@jest/globals';

import { readinessOf } from '../../src/supervisor/readiness.ts';

const RELAY = { connected: true, leading: true };

test('a service whose processes accept charges is ready, with or without NATS', () => {
  const pool = { serving: 1, postgresql: 'ok' } as const;
  expect(readinessOf(pool, 2, RELAY, 0)).toEqual({
    ready: true,
    checks: {
      postgresql: 'ok',
      nats: 'ok',
      relay: 'leading',
      events_waiting: 0,
      server_processes: '1 of 2',
    },
  });
  expect(readinessOf(pool, 2, { connected: true, leading: false }, 7)).toMatchObject({
    ready: true,
    checks: { relay: 'standby', events_waiting: 7 },
  });
});

test('without a connection to NATS no relay is said to be on standby', () => {
  const pool = { serving: 1, postgresql: 'ok' } as const;
  expect(readinessOf(pool, 1, { connected: false, leading: false }, 7)).toMatchObject({
    ready: true,
    checks: { nats: 'unavailable', relay: 'waiting for NATS' },
  });
});

test('a fault of PostgreSQL is told only if a process says so, not while all are starting', () => {
  expect(readinessOf({ serving: 0, postgresql: 'unknown' }, 1, RELAY, 0)).toMatchObject({
    ready: false,
    checks: { postgresql: 'unknown', server_processes: '0 of 1' },
  });
  const fault = 'disk full: could not extend file (53100)';
  expect(readinessOf({ serving: 0, postgresql: fault }, 1, RELAY, 0)).toMatchObject({
    ready: false,
    checks: { postgresql: fault },
  });
});
