/** What `/readyz` says about each part. */

import { expect, test } from '@jest/globals';

import { readinessOf } from '../../src/supervisor/readiness.ts';

const RELAY = { connected: true, leading: true, publishing: { publishing: true } } as const;

test('a service whose processes accept charges is ready, with or without NATS', () => {
  const pool = { serving: 1, postgresql: 'ok' } as const;
  expect(readinessOf(pool, 2, RELAY, { waiting: 0, deadLetters: 0 })).toEqual({
    ready: true,
    checks: {
      postgresql: 'ok',
      nats: 'ok',
      relay: 'leading',
      events_waiting: 0,
      dead_letters: 0,
      server_processes: '1 of 2',
    },
  });
  expect(readinessOf(pool, 2, { ...RELAY, leading: false }, { waiting: 7, deadLetters: 2 })).toMatchObject({
    ready: true,
    checks: { relay: 'standby', events_waiting: 7, dead_letters: 2 },
  });
});

test('while events do not reach the stream, the reason stands in place of the role', () => {
  const relay = { ...RELAY, publishing: { publishing: false, reason: 'the stream is full' } } as const;
  const pool = { serving: 1, postgresql: 'ok' } as const;
  expect(readinessOf(pool, 1, relay, undefined)).toMatchObject({
    ready: true,
    checks: { nats: 'ok', relay: 'the stream is full', events_waiting: 'unknown', dead_letters: 'unknown' },
  });
  expect(readinessOf(pool, 1, { ...relay, connected: false }, undefined)).toMatchObject({
    checks: { nats: 'unavailable', relay: 'the stream is full' },
  });
});

test('a fault of PostgreSQL is told only if a process says so, not while all are starting', () => {
  expect(readinessOf({ serving: 0, postgresql: 'unknown' }, 1, RELAY, undefined)).toMatchObject({
    ready: false,
    checks: { postgresql: 'unknown', server_processes: '0 of 1' },
  });
  const fault = 'disk full: could not extend file (53100)';
  expect(readinessOf({ serving: 0, postgresql: fault }, 1, RELAY, undefined)).toMatchObject({
    ready: false,
    checks: { postgresql: fault },
  });
});
