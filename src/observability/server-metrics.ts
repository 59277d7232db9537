/** Metrics of a server process. Every one is declared here; the supervisor adds the processes up. */

import { status as Code } from '@grpc/grpc-js';
import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, register } from 'prom-client';

import type { MethodMetrics, RpcLoad, RpcMetrics } from '../grpc/context.ts';
import { classifySqlError } from '../database/sql-errors.ts';

/** From a quarter of a millisecond to ten seconds. */
const LATENCY_BUCKETS = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];
const GROUP_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Counts an attempt to write a group of charges: its size, its duration, and its error if it failed. */
type WriteAttempted = (charges: number, seconds: number, error: unknown) => void;

/** The metrics of this process; made once. */
export interface ServerMetrics {
  readonly rpc: RpcMetrics;
  readonly writeAttempted: WriteAttempted;
  /** Shows these as gauges. */
  watchLoad(load: RpcLoad, sources: LoadSources): void;
}

/** What is read whenever somebody scrapes. */
export interface LoadSources {
  readonly queuedCharges: () => number;
  readonly recordBytes: () => number;
}

/** Registers everything; a process has one server. */
export function createServerMetrics(): ServerMetrics {
  collectDefaultMetrics();
  // Makes this process answer the supervisor's question for its metrics.
  new AggregatorRegistry();
  return { rpc: rpcMetrics(), writeAttempted: writeMetrics(), watchLoad };
}

function rpcMetrics(): RpcMetrics {
  const started = new Counter({
    name: 'grpc_server_started_total',
    help: 'Calls and streams that began.',
    labelNames: ['grpc_method'],
  });
  const handled = new Counter({
    name: 'grpc_server_handled_total',
    help: 'Calls and streams that ended, by the status that the caller got.',
    labelNames: ['grpc_method', 'grpc_code'],
  });
  const latency = new Histogram({
    name: 'grpc_server_handling_seconds',
    help: 'From the arrival of a call to its answer; of a stream, how long it was open.',
    labelNames: ['grpc_method'],
    buckets: LATENCY_BUCKETS,
  });
  const messages = new Counter({
    name: 'grpc_server_stream_messages_total',
    help: 'Messages of streams, by direction.',
    labelNames: ['grpc_method', 'direction'],
  });
  const refused = new Counter({
    name: 'charge_refused_total',
    help: 'Calls, streams and items that were refused or failed, by reason of charge.v1.ErrorReason.',
    labelNames: ['reason'],
  });
  return {
    method: (method) => methodMetrics(method, { started, handled, latency, messages }),
    refused: (reason) => refused.inc({ reason }),
  };
}

/** Labels are looked up once per method: that look-up costs more than the rest of a call's bookkeeping. */
function methodMetrics(
  method: string,
  families: {
    readonly started: Counter<'grpc_method'>;
    readonly handled: Counter<'grpc_method' | 'grpc_code'>;
    readonly latency: Histogram<'grpc_method'>;
    readonly messages: Counter<'grpc_method' | 'direction'>;
  },
): MethodMetrics {
  const startedCounter = families.started.labels(method);
  const okCounter = families.handled.labels(method, Code[Code.OK]);
  const latency = families.latency.labels(method);
  const received = families.messages.labels(method, 'received');
  const sent = families.messages.labels(method, 'sent');
  return {
    started: () => startedCounter.inc(),
    finished: (code, seconds) => {
      if (code === Number(Code.OK)) okCounter.inc();
      else families.handled.inc({ grpc_method: method, grpc_code: Code[code] ?? String(code) });
      latency.observe(seconds);
    },
    streamed: (direction, count) => (direction === 'received' ? received : sent).inc(count),
  };
}

function writeMetrics(): WriteAttempted {
  const groupSize = new Histogram({
    name: 'charge_write_group_size',
    help: 'Charges that were written together.',
    buckets: GROUP_BUCKETS,
  });
  const duration = new Histogram({
    name: 'charge_write_statement_seconds',
    help: 'Time to write a group of charges: getting a connection, the statement, and a second statement for repeated request ids.',
    buckets: LATENCY_BUCKETS,
  });
  const failures = new Counter({
    name: 'charge_write_failures_total',
    help: 'Failed attempts to write a group of charges, by kind: retry, timeout, data or other.',
    labelNames: ['kind'],
  });
  return (charges, seconds, error) => {
    if (error !== undefined) return failures.inc({ kind: classifySqlError(error) });
    groupSize.observe(charges);
    duration.observe(seconds);
  };
}

function watchLoad(load: RpcLoad, { queuedCharges, recordBytes }: LoadSources): void {
  gauge('charge_calls_in_flight', 'Unary calls that are being worked on.', () => load.callsInFlight);
  gauge(
    'charge_request_bytes',
    'Bytes of requests that are arriving or being worked on.',
    () => load.requestBytes,
  );
  gauge(
    'charge_response_bytes',
    'Bytes of large unary responses that clients have not read.',
    () => load.responseBytes,
  );
  gauge('charge_connections', 'Open connections.', () => load.connections);
  gauge('charge_record_streams', 'Open RecordCharges streams.', () => load.recordStreams);
  gauge(
    'charge_record_bytes',
    'Bytes of items of RecordCharges streams that were read and not answered.',
    recordBytes,
  );
  gauge('charge_watch_streams', 'Open WatchCharges streams.', () => load.watchStreams);
  gauge(
    'charge_infrastructure_streams',
    'Open health watches and reflection streams.',
    () => load.infrastructureStreams,
  );
  gauge('charge_write_queue_charges', 'Charges that wait for a writer.', queuedCharges);
}

function gauge(name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [register],
    collect() {
      this.set(read());
    },
  });
}
