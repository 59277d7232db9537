/** How pools of connections to PostgreSQL are used. */

import type { Pool } from 'pg';
import { Gauge, type Registry } from 'prom-client';

/** Shows pools as gauges with this prefix; `pools`: by what they are for. */
export function watchPools(
  registry: Registry,
  prefix: 'charge_' | 'supervisor_',
  pools: Readonly<Record<string, Pool>>,
): void {
  const registers = [registry];
  const entries = Object.entries(pools);
  new Gauge({
    name: `${prefix}database_connections`,
    help: 'Open connections to PostgreSQL, by pool and state: idle or used.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, { totalCount, idleCount }] of entries) {
        this.set({ pool, state: 'idle' }, idleCount);
        this.set({ pool, state: 'used' }, totalCount - idleCount);
      }
    },
  });
  new Gauge({
    name: `${prefix}database_connections_max`,
    help: 'How many connections a pool may open.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, { options }] of entries) this.set({ pool }, options.max ?? 0);
    },
  });
  new Gauge({
    name: `${prefix}database_waiting`,
    help: 'Statements that wait for a connection of the pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, { waitingCount }] of entries) this.set({ pool }, waitingCount);
    },
  });
}
