/** What `/readyz` answers. */

import type { Readiness } from '../http/server.ts';
import type { Unpublished } from '../relay/index.ts';
import type { RelayStatus } from './relay-status.ts';
import type { ServerPool } from './server-pool.ts';

/**
 * Without NATS the service stays ready: charges are accepted, and the checks say how many events wait, and why.
 * `postgresql` is `ok`, or why charges cannot be recorded, or `unknown` while no server process has told.
 */
export function readinessOf(
  pool: Pick<ServerPool, 'serving' | 'postgresql'>,
  processes: number,
  relay: RelayStatus,
  unpublished: Unpublished | undefined,
): Readiness {
  return {
    ready: pool.serving > 0,
    checks: {
      postgresql: pool.postgresql,
      nats: relay.connected ? 'ok' : 'unavailable',
      relay: relay.publishing.publishing ? (relay.leading ? 'leading' : 'standby') : relay.publishing.reason,
      events_waiting: unpublished?.waiting ?? 'unknown',
      dead_letters: unpublished?.deadLetters ?? 'unknown',
      server_processes: `${pool.serving} of ${processes}`,
    },
  };
}
