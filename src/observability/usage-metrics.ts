/** Metrics of the supervisor: how the kept sums follow the journals. */

import { Counter, Gauge, type Registry } from 'prom-client';

/** The metrics of the kept sums. */
export type UsageMetrics = ReturnType<typeof createUsageMetrics>;

/** Registers everything; a process has one follower. */
export function createUsageMetrics(registry: Registry) {
  const registers = [registry];
  return {
    followed: new Counter({
      name: 'charge_usage_events_followed_total',
      help: 'Events of the journal that this process added to the sums of usage.',
      registers,
    }),
    waiting: new Gauge({
      name: 'charge_usage_lag_events',
      help: 'Events that are not in the sums of usage yet. Questions about usage read them from the journal.',
      registers,
    }),
    lag: new Gauge({
      name: 'charge_usage_lag_seconds',
      help: 'How long the oldest event that is not in the sums of usage has waited.',
      registers,
    }),
    failures: new Counter({
      name: 'charge_usage_failures_total',
      help: 'Steps of the sums of usage that failed and were tried again.',
      registers,
    }),
  };
}
