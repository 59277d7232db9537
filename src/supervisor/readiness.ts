/** What `/readyz` answers. */

import type { Readiness } from '../http/server.ts';
import type { RelayStatus } from './relay-status.ts';
import type { ServerPool } from './server-pool.ts';

/**
 * Without NATS the service stays ready: charges are accepted, and the checks say how many events wait. `postgresql`
 * is `ok`, or why charges cannot be recorded, or `unknown` while no server process has told.
 */
export function readinessOf(
  pool: Pick<ServerPool, 'serving' | 'postgresql'>,
  processes: number,
  relay: RelayStatus,
  eventsWaiting: number,
): Readiness {
  return {
    ready: pool.serving > 0,
    checks: {
      postgresql: pool.postgresql,
      nats: relay.connected ? 'ok' : 'unavailable',
      relay: relay.leading ? 'leading' : relay.connected ? 'standby' : 'waiting for NATS',
      events_waiting: eventsWaiting,
      server_processes: `${pool.serving} of ${processes}`,
    },
  };
}
