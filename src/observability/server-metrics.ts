/** Metrics of a server process. The supervisor adds up those of all processes. */

import type { Pool } from 'pg';
import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, register } from 'prom-client';

import type { RpcLoad, RpcMetrics } from '../grpc/context.ts';
import { classifySqlError } from '../database/sql-errors.ts';
import { type ChargeMetrics, createChargeMetrics } from './charge-metrics.ts';
import { watchPools } from './pool-metrics.ts';
import { createRpcMetrics, LATENCY_BUCKETS } from './rpc-metrics.ts';

const GROUP_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Counts an attempt to write a group of charges: its size, its duration, and its error if it failed. */
type WriteAttempted = (charges: number, seconds: number, error: unknown) => void;

/** The metrics of this process; made once. */
export interface ServerMetrics {
  readonly rpc: RpcMetrics;
  readonly charges: ChargeMetrics;
  readonly writeAttempted: WriteAttempted;
  /** A call was refused for its credential, or because it has none. */
  authenticationRefused(cause: string): void;
  /** Price versions were loaded, up to this one. */
  pricesLoaded(version: number): void;
  /** Shows these as gauges. */
  watchLoad(load: RpcLoad, sources: LoadSources): void;
}

/** What is read whenever somebody scrapes. */
export interface LoadSources {
  readonly queuedCharges: () => number;
  readonly recordBytes: () => number;
  /** Connections to PostgreSQL, by what they are for. */
  readonly pools: Readonly<Record<string, Pool>>;
}

/** Registers everything; a process has one server. */
export function createServerMetrics(): ServerMetrics {
  collectDefaultMetrics();
  // Makes this process answer the supervisor's question for its metrics.
  new AggregatorRegistry();
  return {
    rpc: createRpcMetrics(),
    charges: createChargeMetrics(),
    writeAttempted: writeMetrics(),
    authenticationRefused: authenticationMetrics(),
    pricesLoaded: priceMetrics(),
    watchLoad,
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

function authenticationMetrics(): (cause: string) => void {
  const refused = new Counter({
    name: 'charge_authentication_refused_total',
    help: 'Calls that were refused for their credential, by cause: missing, malformed, invalid, expired, suspended (the tenant) or throttled (the address has failed too often).',
    labelNames: ['cause'],
  });
  return (cause) => refused.inc({ cause: cause.toLowerCase() });
}

function priceMetrics(): (version: number) => void {
  const version = new Gauge({
    name: 'charge_price_version',
    help: 'The last price version that the process knows.',
    aggregator: 'max',
  });
  const loads = new Counter({
    name: 'charge_price_loads_total',
    help: 'How often price versions were loaded: once at the first charge, and after others were added.',
  });
  return (loaded) => {
    version.set(loaded);
    loads.inc();
  };
}

function watchLoad(load: RpcLoad, { queuedCharges, recordBytes, pools }: LoadSources): void {
  watchPools(register, 'charge_', pools);
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
  gauge('charge_export_streams', 'Open ExportCharges streams.', () => load.exportStreams);
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
