/** A pure function from the environment to a frozen configuration, or to every fault at once. */

import { BlockList, isIP } from 'node:net';
import { availableParallelism } from 'node:os';

import { DatabaseUrlError, parseDatabaseUrl } from './database/database-url.ts';
import { CLIENT_CERTIFICATE_RULES, readCertificate, type TlsFiles } from './tls/certificate.ts';
import {
  NATS_ACCESS_VARIABLES,
  type NatsAccess,
  NatsAccessError,
  readNatsAccess,
} from './relay/nats-access.ts';
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
  /** Undefined: plain text on both addresses. */
  readonly tls: TlsFiles | undefined;
  /** Undefined: an embedded PostgreSQL under `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** Of the login that owns the tables and migrates them. Undefined: `databaseUrl` does. */
  readonly migrationDatabaseUrl: string | undefined;
  /** Undefined: an embedded nats-server under `dataDir`. */
  readonly natsUrl: string | undefined;
  /** What else is needed to connect to `natsUrl`. */
  readonly natsAccess: NatsAccess;
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
 * `.env` files leave them there. An empty variable counts as unset. `checksFiles`: what is wrong with the files of the
 * certificate and those for NATS is a fault as well.
 */
export function configFromEnv(
  env: Readonly<Record<string, string | undefined>>,
  { checksFiles = true } = {},
): Config {
  const reader = new Reader(env, checksFiles);
  const listen = reader.address('LISTEN', DEFAULT_LISTEN);
  const metricsListen = reader.address('METRICS_LISTEN', '127.0.0.1:9464');
  const allowsInsecure = reader.oneOf('ALLOW_INSECURE', ['true', 'false'], 'false') === 'true';
  const databaseUrl = reader.databaseUrl('DATABASE_URL');
  const natsUrl = reader.urls('NATS_URL', ['nats:', 'tls:']);
  const config: Config = {
    listen,
    metricsListen,
    tls: reader.tls({ LISTEN: listen, METRICS_LISTEN: metricsListen }, allowsInsecure),
    credentials: readCredentialSettings(reader, isLoopback(listen), allowsInsecure),
    databaseUrl,
    migrationDatabaseUrl: reader.migrationDatabaseUrl(databaseUrl),
    natsUrl,
    natsAccess: reader.natsAccess(natsUrl),
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
  readonly #checksFiles: boolean;

  constructor(env: Readonly<Record<string, string | undefined>>, checksFiles: boolean) {
    this.#env = env;
    this.#checksFiles = checksFiles;
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

  oneOf<T extends string, F extends T | undefined>(name: string, choices: readonly T[], fallback: F): T | F {
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

  /** Without TLS, every address has to be one of this machine only, unless that is wanted. */
  tls(listening: Readonly<Record<string, Address>>, allowsInsecure: boolean): TlsFiles | undefined {
    const certFile = this.text('TLS_CERT_FILE');
    const keyFile = this.text('TLS_KEY_FILE');
    const clientCaFile = this.text('TLS_CLIENT_CA_FILE');
    const clientCertificate = this.oneOf('TLS_CLIENT_CERTIFICATE', CLIENT_CERTIFICATE_RULES, undefined);
    if (clientCertificate !== undefined && clientCaFile === undefined)
      this.faults.push(
        'TLS_CLIENT_CERTIFICATE needs TLS_CLIENT_CA_FILE, the authorities of these certificates',
      );
    if (certFile !== undefined && keyFile !== undefined) {
      const files = { certFile, keyFile, clientCaFile, clientCertificate: clientCertificate ?? 'required' };
      if (this.#checksFiles) this.faults.push(...readCertificate(files).faults);
      return files;
    }
    if (certFile !== undefined || keyFile !== undefined || clientCaFile !== undefined) {
      this.faults.push(
        'TLS_CERT_FILE and TLS_KEY_FILE must both be set for TLS, or none of the TLS variables',
      );
      return undefined;
    }
    const open = Object.keys(listening).filter((name) => !isLoopback(listening[name] as Address));
    if (open.length > 0 && !allowsInsecure) {
      this.faults.push(
        `${open.join(' and ')}: other machines can connect, and without TLS everything is sent in plain text. Set ` +
          'TLS_CERT_FILE and TLS_KEY_FILE, or ALLOW_INSECURE=true if nobody else is on this network',
      );
    }
    return undefined;
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

  migrationDatabaseUrl(databaseUrl: string | undefined): string | undefined {
    const text = this.databaseUrl('MIGRATION_DATABASE_URL');
    if (text !== undefined && databaseUrl === undefined)
      this.faults.push(
        'MIGRATION_DATABASE_URL must not be set without DATABASE_URL: the embedded PostgreSQL has one login',
      );
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

  /** Checked with what the files say now. They are read again for each connection. */
  natsAccess(url: string | undefined): NatsAccess {
    const values = NATS_ACCESS_VARIABLES.map((name) => [name, this.text(name)] as const);
    const access = Object.fromEntries(values.filter(([, value]) => value !== undefined)) as NatsAccess;
    const names = Object.keys(access);
    if (url === undefined && names.length > 0) {
      this.faults.push(
        `${names.join(', ')} must not be set without NATS_URL: the embedded nats-server has no credentials`,
      );
      return access;
    }
    if (!this.#checksFiles) return access;
    try {
      readNatsAccess(access, url ?? '');
    } catch (error) {
      if (!(error instanceof NatsAccessError)) throw error;
      this.faults.push(...error.faults);
    }
    return access;
  }

  #fault(name: string, rule: string, text: string): void {
    this.faults.push(`${name} ${rule}; it is ${JSON.stringify(text)}`);
  }
}
