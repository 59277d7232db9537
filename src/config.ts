/** A pure function from the environment to a frozen configuration, or to every fault at once. */

import { BlockList, isIP } from 'node:net';
import { availableParallelism } from 'node:os';

import { DatabaseUrlError, parseDatabaseUrl } from './database/database-url.ts';
import { type CredentialSettings, readCredentialSettings } from './tenants/credentials/settings.ts';

/** Where a server listens. Port 0: any free port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Everything that can be configured. Durations in milliseconds. */
export interface Config {
  readonly listen: Address;
  readonly metricsListen: Address;
  readonly credentials: CredentialSettings;
  /** Undefined: an embedded PostgreSQL under `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** Undefined: an embedded nats-server under `dataDir`. */
  readonly natsUrl: string | undefined;
  readonly dataDir: string;
  /** Port of the embedded PostgreSQL. 0: chosen at the first start and kept in `dataDir`. */
  readonly embeddedPostgresPort: number;
  /** Port of the embedded nats-server. 0: chosen at the first start and kept in `dataDir`. */
  readonly embeddedNatsPort: number;
  readonly logLevel: LogLevel;
  /** Server processes that share the port and the database. */
  readonly processes: number;
  /** Groups of charges that each server process writes at once. */
  readonly writers: number;
  /** Unary calls that each server process accepts at once. */
  readonly inFlightCallsMax: number;
  /** Streams that each server process holds open at once. */
  readonly streamsMax: number;
  readonly eventFormat: 'protobuf' | 'json';
  readonly eventMaxAgeMs: number;
  readonly streamReplicas: number;
  /** How long a service that stops waits for calls in progress and for the relay. */
  readonly drainTimeoutMs: number;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The default address, for the service and for the commands. */
export const DEFAULT_LISTEN = '127.0.0.1:50051';

/** A second process takes an eighth more calls on two cores. More were not measured. */
const DEFAULT_PROCESSES = Math.min(2, availableParallelism());

const ADDRESS_RULE =
  'must be host:port without "tcp://" and with a port from 0 to 65535, such as 127.0.0.1:50051, [::1]:50051, ' +
  'or 0.0.0.0:50051 for every interface';

const PORT_MAX = 65_535;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Thrown with one message that names every wrong variable, its value's fault, and what to do. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration is wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/**
 * Reads the variables that the README lists. Blanks and line ends around a value are removed, because some readers of
 * `.env` files leave them there. An empty variable counts as unset.
 */
export function configFromEnv(env: Readonly<Record<string, string | undefined>>): Config {
  const reader = new Reader(env);
  const listen = reader.address('LISTEN', DEFAULT_LISTEN);
  const metricsListen = reader.address('METRICS_LISTEN', '127.0.0.1:9464');
  const config: Config = {
    listen,
    metricsListen,
    credentials: readCredentialSettings(reader, isLoopback(listen)),
    databaseUrl: reader.databaseUrl('DATABASE_URL'),
    natsUrl: reader.urls('NATS_URL', ['nats:', 'tls:']),
    dataDir: reader.text('DATA_DIR') ?? '.data',
    // Not POSTGRES_PORT and NATS_PORT: Kubernetes sets those in every pod beside a Service of that name.
    embeddedPostgresPort: reader.integer('EMBEDDED_POSTGRES_PORT', 0, 0, PORT_MAX),
    embeddedNatsPort: reader.integer('EMBEDDED_NATS_PORT', 0, 0, PORT_MAX),
    logLevel: reader.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    processes: reader.integer('PROCESSES', DEFAULT_PROCESSES, 1, 64),
    writers: reader.integer('WRITERS', 3, 1, 16),
    inFlightCallsMax: reader.integer('IN_FLIGHT_CALLS_MAX', 10_000, 1, 1_000_000),
    streamsMax: reader.integer('STREAMS_MAX', 1_000, 1, 100_000),
    eventFormat: reader.oneOf('EVENT_FORMAT', ['protobuf', 'json'], 'protobuf'),
    eventMaxAgeMs: reader.integer('EVENT_MAX_AGE_DAYS', 30, 1, 36_500) * DAY_MS,
    streamReplicas: Number(reader.oneOf('STREAM_REPLICAS', ['1', '3', '5'], '1')),
    drainTimeoutMs: reader.integer('DRAIN_TIMEOUT_MS', 25_000, 0, 600_000),
  };
  if (reader.faults.length > 0) throw new ConfigError(reader.faults);
  return Object.freeze(config);
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine reaches what listens there. Of names, only `localhost` is known to be so. */
export function isLoopback({ host }: Address): boolean {
  const version = isIP(host);
  return version === 0 ? host === 'localhost' : LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/** Where a client on this machine calls a server that listens on `address`, which may be every interface. */
export function callableAddress({ host, port }: Address): Address {
  return { host: { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host, port };
}

/** Parses `host:port` and `[::1]:port`; undefined when it is neither. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/*"']+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > PORT_MAX ? undefined : { host, port };
}

class Reader {
  readonly faults: string[] = [];
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** The one place where a value is read. Its fault does not show the value, which may hold a password. */
  text(name: string): string | undefined {
    const text = this.#env[name]?.trim();
    if (/^(["']).*\1$/s.test(text ?? '')) {
      this.faults.push(`${name} begins and ends with quotes, which are part of the value: remove them`);
      return undefined;
    }
    return text || undefined;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const choice = choices.find((candidate) => candidate === text.toLowerCase());
    if (choice === undefined) this.#fault(name, `must be one of ${choices.join(', ')}`, text);
    return choice ?? fallback;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    this.#fault(name, `must be a whole number from ${min} to ${max}`, text);
    return fallback;
  }

  address(name: string, fallback: string): Address {
    const text = this.text(name) ?? fallback;
    const address = parseAddress(text);
    if (address === undefined) this.#fault(name, ADDRESS_RULE, text);
    return address ?? { host: '127.0.0.1', port: 0 };
  }

  databaseUrl(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    try {
      parseDatabaseUrl(text);
    } catch (error) {
      if (!(error instanceof DatabaseUrlError)) throw error;
      this.faults.push(...error.faults.map((fault) => `${name} ${fault}`));
    }
    return text;
  }

  /** URLs, separated by commas. They may hold a password and are never shown. */
  urls(name: string, protocols: readonly string[]): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const valid = text.split(',').every((part) => {
      const url = URL.parse(part.trim());
      return url !== null && protocols.includes(url.protocol) && url.hostname !== '';
    });
    if (!valid) {
      this.faults.push(
        `${name} must be a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`,
      );
    }
    return text;
  }

  #fault(name: string, rule: string, text: string): void {
    this.faults.push(`${name} ${rule}; it is ${JSON.stringify(text)}`);
  }
}
