/** Puts the relay together from the configuration. */

import type { Pool } from 'pg';

import type { Config } from '../config.ts';
import { openBroker } from './broker.ts';
import { Relay, type RelayEvents } from './relay.ts';

/** The stream that outside consumers know. */
export const STREAM_NAME = 'CHARGES';
const STREAM_SUBJECTS = ['charge.>', 'budget.>'];

/**
 * A relay from the journal of `pool` to the NATS at `natsUrl`, not started. The caller stops it and
 * then closes the pool.
 */
export function createRelay(
  config: Pick<Config, 'eventFormat' | 'eventMaxAgeMs' | 'streamReplicas'>,
  pool: Pool,
  natsUrl: string,
  events: RelayEvents,
): Relay {
  const stream = {
    name: STREAM_NAME,
    subjects: STREAM_SUBJECTS,
    replicas: config.streamReplicas,
    maxAgeMs: config.eventMaxAgeMs,
    duplicateWindowMs: 2 * 60_000,
  };
  return new Relay(
    pool,
    () => openBroker({ url: natsUrl, stream, format: config.eventFormat, connectTimeoutMs: 5_000 }),
    {
      format: config.eventFormat,
      batchSizeMax: 500,
      recentBytesMax: 32 * 1024 * 1024,
      ackTimeoutMs: 5_000,
      pollMs: 250,
      // At 5 ms, the relay of one caller alone took twice the CPU time, beside him.
      lingerMinMs: 20,
      lingerMaxMs: 50,
      leaseTtlMs: 10_000,
      backoffMinMs: 100,
      backoffMaxMs: 5_000,
    },
    events,
  );
}
