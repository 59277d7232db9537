/** Metrics of the supervisor: the relay, and the backlog that it publishes. */

import { Counter, Gauge, type Registry } from 'prom-client';

/** The metrics of the relay. */
export type RelayMetrics = ReturnType<typeof createRelayMetrics>;

/** Registers everything; a process has one relay. */
export function createRelayMetrics(registry: Registry) {
  const registers = [registry];
  const published = new Counter({
    name: 'charge_relay_events_published_total',
    help: 'Events that JetStream has acknowledged.',
    registers,
  });
  const deadLetters = new Counter({
    name: 'charge_relay_dead_letters_total',
    help: 'Events that the stream never takes; see the table dead_letter.',
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
  const publishingGauge = new Gauge({
    name: 'charge_relay_publishing',
    help: '1 while events reach the stream; if not, /readyz and the log say why.',
    registers,
  });
  const leadingGauge = new Gauge({
    name: 'charge_relay_leading',
    help: '1 while this replica is the one that publishes.',
    registers,
  });
  const backlog = new Gauge({
    name: 'charge_relay_backlog_events',
    help: 'Committed events that are not published yet. Absent while PostgreSQL does not answer.',
    registers,
  });
  const deadLetterRows = new Gauge({
    name: 'charge_relay_dead_letter_rows',
    help: 'Rows of the table dead_letter, counted up to 10,000. Absent while PostgreSQL does not answer.',
    registers,
  });
  return {
    backlog,
    deadLetterRows,
    publishingGauge,
    published,
    deadLetters,
    failures,
    connectedGauge,
    leadingGauge,
  };
}
