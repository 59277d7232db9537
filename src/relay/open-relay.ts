/** Makes the relay from the configuration. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Config } from '../config.ts';
import { openBroker } from './broker.ts';
import { Relay, type RelayEvents, type RelayOptions } from './relay.ts';
import type { StreamOptions } from './stream.ts';

/** The stream that outside consumers know. */
export const STREAM_NAME = 'CHARGES';
const STREAM_SUBJECTS = ['charge.>', 'budget.>', 'user_profile.>'];

/** What the relay and the comparison take from the configuration. */
export type RelayConfig = Pick<Config, 'eventFormat' | 'eventMaxAgeMs' | 'streamReplicas'> &
  Partial<Pick<Config, 'natsAccess'>>;

/** The stream that the relay makes if there is none. */
export function streamOptions(config: Pick<Config, 'eventMaxAgeMs' | 'streamReplicas'>): StreamOptions {
  return {
    name: STREAM_NAME,
    subjects: STREAM_SUBJECTS,
    replicas: config.streamReplicas,
    maxAgeMs: config.eventMaxAgeMs,
    duplicateWindowMs: 2 * 60_000,
  };
}

/**
 * A relay from the journal in the database of `em` to the NATS at `natsUrl`, not started. The caller stops
 * it and then closes the database. `overrides` are for tests.
 */
export function createRelay(
  config: RelayConfig,
  em: EntityManager,
  natsUrl: string,
  events: RelayEvents,
  overrides: Partial<RelayOptions> = {},
): Relay {
  const broker = {
    url: natsUrl,
    access: config.natsAccess,
    stream: streamOptions(config),
    format: config.eventFormat,
    connectTimeoutMs: 5_000,
  };
  return new Relay(
    em,
    () => openBroker(broker),
    {
      format: config.eventFormat,
      batchSizeMax: 1_000,
      // Half a second to a second, which a tenant with a single new event may have to wait.
      roundSizeMax: 20_000,
      recentBytesMax: 32 * 1024 * 1024,
      ackTimeoutMs: 5_000,
      pollMs: 250,
      // With 5 ms and a single caller, the relay took twice as much CPU time.
      lingerMinMs: 20,
      lingerMaxMs: 50,
      streamCheckMs: 2_000,
      leaseTtlMs: 10_000,
      backoffMinMs: 100,
      backoffMaxMs: 5_000,
      ...overrides,
    },
    events,
  );
}
