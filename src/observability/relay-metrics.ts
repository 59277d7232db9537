/** Metrics of the supervisor: the relay and the backlog that it works off. */

import { Counter, Gauge, type Registry } from 'prom-client';

import { errorText } from '../errors/describe-error.ts';
import type { RelayEvents } from '../relay/relay.ts';
import type { Logger } from './logger.ts';

/** State of the relay as readiness reports it. */
export interface RelayStatus {
  connected: boolean;
  leading: boolean;
}

/**
 * Counts what the relay does, keeps its status, and logs every change of it, but not every failed
 * attempt: a broker that is away for an hour makes two lines.
 */
export function observeRelay(
  registry: Registry,
  logger: Logger,
  connectionChanged: (connected: boolean) => void,
): { readonly events: RelayEvents; readonly status: RelayStatus } {
  const status: RelayStatus = { connected: false, leading: false };
  const { published, deadLetters, failures, connectedGauge, leadingGauge } = relayMetrics(registry);
  let failing = false;

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
    published: (count) => {
      published.inc(count);
      failing = false;
    },
    deadLetter: (tenant, sequence, reason) => {
      deadLetters.inc();
      logger.error(
        { tenant, sequence: sequence.toString(), reason },
        'dead letter: the broker will never accept this event, so it is not published',
      );
    },
    failed: (error) => {
      failures.inc();
      logger[failing ? 'debug' : 'warn'](
        { reason: errorText(error) },
        'publishing failed; trying again until it succeeds',
      );
      failing = true;
    },
  };
  return { events, status };
}

/** How often the backlog is looked at. */
const BACKLOG_PERIOD_MS = 1_000;

/**
 * Asks for the size of the backlog once a second, in events, one question at a time, and shows it as a gauge. `size()`
 * is the last answer: 0 before the first, -1 where the question failed.
 */
export function watchBacklog(
  registry: Registry,
  read: () => Promise<number>,
): { size(): number; stop(): void } {
  const gauge = new Gauge({
    name: 'charge_relay_backlog_events',
    help: 'Committed events that are not published yet; -1: PostgreSQL does not answer.',
    registers: [registry],
  });
  let backlog = 0;
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void read()
      .catch(() => -1)
      .then((size) => {
        looking = false;
        backlog = size;
        gauge.set(size);
      });
  }, BACKLOG_PERIOD_MS);
  return { size: () => backlog, stop: () => clearInterval(timer) };
}

function relayMetrics(registry: Registry) {
  const registers = [registry];
  const published = new Counter({
    name: 'charge_relay_events_published_total',
    help: 'Events that JetStream has acknowledged.',
    registers,
  });
  const deadLetters = new Counter({
    name: 'charge_relay_dead_letters_total',
    help: 'Events that the broker will never accept; see the table dead_letter.',
    registers,
  });
  const failures = new Counter({
    name: 'charge_relay_failures_total',
    help: 'Rounds of the relay that failed and were tried again.',
    registers,
  });
  const connectedGauge = new Gauge({
    name: 'charge_relay_nats_connected',
    help: '1 while the relay is connected to NATS.',
    registers,
  });
  const leadingGauge = new Gauge({
    name: 'charge_relay_leading',
    help: '1 while this replica is the one that publishes.',
    registers,
  });
  return { published, deadLetters, failures, connectedGauge, leadingGauge };
}
