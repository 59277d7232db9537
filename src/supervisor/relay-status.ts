/** What the supervisor knows of its relay, for readiness, metrics and the log. */

import { errorText } from '../errors/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { RelayMetrics } from '../observability/relay-metrics.ts';
import type { RelayEvents } from '../relay/index.ts';

/** State of the relay as readiness reports it. */
export interface RelayStatus {
  connected: boolean;
  leading: boolean;
}

/**
 * Counts what the relay does, keeps its status, and logs every change of it. It does not log every failed
 * attempt: a broker that is away for an hour makes two lines.
 */
export function observeRelay(
  metrics: RelayMetrics,
  logger: Logger,
  connectionChanged: (connected: boolean) => void,
): { readonly events: RelayEvents; readonly status: RelayStatus } {
  const status: RelayStatus = { connected: false, leading: false };
  const { published, deadLetters, failures, connectedGauge, leadingGauge } = metrics;

  const events: RelayEvents = {
    connected: (connected) => {
      status.connected = connected;
      connectedGauge.set(connected ? 1 : 0);
      if (connected) logger.info({}, 'connected to NATS');
      else logger.warn({}, 'disconnected from NATS; events wait in PostgreSQL');
      connectionChanged(connected);
    },
    leading: (leading) => {
      status.leading = leading;
      leadingGauge.set(leading ? 1 : 0);
      logger.info(
        { leading },
        leading ? 'this replica publishes events' : 'another replica publishes events',
      );
    },
    published: (count) => published.inc(count),
    deadLetter: (tenant, sequence, reason) => {
      deadLetters.inc();
      logger.error(
        { tenant, sequence: sequence.toString(), reason },
        'dead letter: the broker will never accept this event, so it is not published',
      );
    },
    failed: (error, attempt) => {
      failures.inc();
      logger[attempt === 1 ? 'warn' : 'debug'](
        { reason: errorText(error) },
        'publishing failed; trying again until it succeeds',
      );
    },
  };
  return { events, status };
}

/** How often the size of the backlog is read. */
const BACKLOG_PERIOD_MS = 1_000;

/**
 * Reads the size of the backlog, in events, once a second and shows it as a gauge. `size()` is the last answer:
 * 0 before the first one, -1 if PostgreSQL did not answer.
 */
export function watchBacklog(
  { backlog }: RelayMetrics,
  read: () => Promise<number>,
): { size(): number; stop(): void } {
  let size = 0;
  let reading = false;
  const timer = setInterval(() => {
    if (reading) return;
    reading = true;
    void read()
      .catch(() => -1)
      .then((answer) => {
        reading = false;
        size = answer;
        backlog.set(answer);
      });
  }, BACKLOG_PERIOD_MS);
  return { size: () => size, stop: () => clearInterval(timer) };
}
