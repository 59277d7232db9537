/** What the supervisor knows of its relay, for readiness, metrics and the log. */

import { errorText } from '../errors/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import type { RelayMetrics } from '../observability/relay-metrics.ts';
import type { Publishing, RelayEvents, Unpublished } from '../relay/index.ts';

/** State of the relay as readiness reports it. */
export interface RelayStatus {
  connected: boolean;
  leading: boolean;
  publishing: Publishing;
}

/**
 * Counts what the relay does, keeps its status, and logs every change of it. It does not log every failed
 * attempt: the reason why events wait is logged once, and again only if it changes.
 */
export function observeRelay(
  metrics: RelayMetrics,
  logger: Logger,
  publishingChanged: (publishing: boolean) => void,
): { readonly events: RelayEvents; readonly status: RelayStatus } {
  const status: RelayStatus = {
    connected: false,
    leading: false,
    publishing: { publishing: false, reason: 'waiting for NATS' },
  };
  const { published, deadLetters, failures, connectedGauge, publishingGauge, leadingGauge } = metrics;

  const events: RelayEvents = {
    connected: (connected) => {
      status.connected = connected;
      connectedGauge.set(connected ? 1 : 0);
      logger.info({}, connected ? 'connected to NATS' : 'disconnected from NATS');
    },
    publishing: (state) => {
      status.publishing = state;
      publishingGauge.set(state.publishing ? 1 : 0);
      if (state.publishing) logger.info({}, 'events reach the stream');
      else
        logger.warn(
          { reason: state.reason },
          'events do not reach the stream; PostgreSQL keeps them until they do',
        );
      publishingChanged(state.publishing);
    },
    streamWarning: (warning) => logger.warn({}, warning),
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
        'dead letter: the stream never takes this event, so it is not published; WatchCharges delivers it',
      );
    },
    failed: (error) => {
      failures.inc();
      logger.debug({ reason: errorText(error) }, 'publishing failed; trying again until it succeeds');
    },
  };
  return { events, status };
}

/** How often the events that are not in the stream are counted. */
const UNPUBLISHED_PERIOD_MS = 1_000;

/** The events that are not in the stream, counted periodically. */
export interface UnpublishedWatch {
  /** The last answer; undefined before the first one, and while PostgreSQL does not answer. */
  latest(): Unpublished | undefined;
  /** Counts now; undefined if PostgreSQL does not answer. */
  read(): Promise<Unpublished | undefined>;
  stop(): void;
}

/** Counts at once and then every second, and shows the answers as gauges, which are absent if there is none. */
export function watchUnpublished(
  { backlog, deadLetterRows }: RelayMetrics,
  count: () => Promise<Unpublished>,
): UnpublishedWatch {
  let latest: Unpublished | undefined;
  let isReading = false;
  const show = (answer: Unpublished | undefined): void => {
    latest = answer;
    backlog.remove();
    deadLetterRows.remove();
    if (answer === undefined) return;
    backlog.set(answer.waiting);
    deadLetterRows.set(answer.deadLetters);
  };
  const read = () => count().catch(() => undefined);
  const poll = (): void => {
    // No answer for a whole period: the last one may be wrong by now.
    if (isReading) return show(undefined);
    isReading = true;
    void read().then((answer) => {
      isReading = false;
      show(answer);
    });
  };
  show(undefined);
  poll();
  const timer = setInterval(poll, UNPUBLISHED_PERIOD_MS);
  return { latest: () => latest, read, stop: () => clearInterval(timer) };
}
