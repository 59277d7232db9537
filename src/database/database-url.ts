/**
 * The one place that reads the URL of a database. A parameter means what it means to libpq, PostgreSQL's own client
 * library: `pg` reads some of them differently, and changes that between versions.
 */

import { isIPv6 } from 'node:net';
import { userInfo } from 'node:os';

import { SSL_MODES, tlsFaults, type TlsSettings } from './tls.ts';

const SESSION_ATTRIBUTES = ['any', 'read-write', 'primary'] as const;
const CHANNEL_BINDINGS = ['disable', 'prefer', 'require'] as const;

/** Where PostgreSQL is, and how to connect to it. */
export interface DatabaseAddress {
  /** Names, IP addresses, or directories of Unix sockets, in the order in which they are tried. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly user: string;
  /** Undefined: the server must not ask for one. */
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: TlsSettings;
  /** `require`: only a server that proves over TLS that it knows the password. The others change nothing. */
  readonly channelBinding: (typeof CHANNEL_BINDINGS)[number];
  /** What the server must be: anything, not read-only, or no standby. */
  readonly targetSessionAttrs: (typeof SESSION_ATTRIBUTES)[number];
  /** Command-line options for the session, such as `-c search_path=billing`. */
  readonly options: string | undefined;
  /** Replaces the name that this service would give its connections. */
  readonly applicationName: string | undefined;
  readonly connectTimeoutMs: number | undefined;
}

/** Thrown with everything that is wrong, as the ends of sentences that start with the variable's name. */
export class DatabaseUrlError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('; '));
    this.name = 'DatabaseUrlError';
    this.faults = faults;
  }
}

/** `hosts/database`, for people; without user and password. */
export function addressText({ hosts, database }: Pick<DatabaseAddress, 'hosts' | 'database'>): string {
  return `${hosts.map(({ host, port }) => `${isIPv6(host) ? `[${host}]` : host}:${port}`).join(',')}/${database}`;
}

/**
 * Reads `postgresql://user:password@host:port/database?…`, also with several hosts. Throws a
 * {@link DatabaseUrlError}. Its faults show no part of the password.
 */
export function parseDatabaseUrl(databaseUrl: string): DatabaseAddress {
  const text = databaseUrl.trim();
  const fault = formFault(text);
  if (fault !== undefined) throw new DatabaseUrlError([fault]);
  const faults: string[] = [];
  const given = parametersOf(text, faults);
  const address = {
    hosts: hostsOf(given, faults),
    user: given.get('user') || ownName(),
    password: given.get('password') || undefined,
    database: given.get('dbname') ?? '',
    tls: tlsOf(given, faults),
    channelBinding: oneOf(given, 'channel_binding', CHANNEL_BINDINGS, 'prefer', faults),
    targetSessionAttrs: oneOf(given, 'target_session_attrs', SESSION_ATTRIBUTES, 'any', faults),
    options: given.get('options') || undefined,
    applicationName: given.get('application_name') || undefined,
    connectTimeoutMs: secondsOf(given, faults),
  };
  if (address.channelBinding === 'require' && address.tls.mode === 'disable')
    faults.push('must have another sslmode than disable with channel_binding=require');
  if (address.user === '') faults.push(`has no user: write ${FORM}`);
  if (address.database === '') faults.push(`has no name of a database: write ${FORM}`);
  if (faults.length > 0) throw new DatabaseUrlError(faults);
  return address;
}

const FORM = 'postgresql://user:password@host:5432/database';
const ENCODE =
  'has a sign in the user, the password or a value that must be percent-encoded: write @ as %40, / as %2F, # as %23, ' +
  '? as %3F, : as %3A, % as %25, & as %26, and a blank as %20';

/** What a parameter that changes nothing may say. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly string[]>> = {
  client_encoding: ['UTF8', 'utf8', 'UTF-8', 'utf-8'],
  gssencmode: ['disable', 'prefer'],
  // What pg calls the meaning that the modes of TLS have here.
  uselibpqcompat: ['true'],
};
const PARAMETERS: readonly string[] = [
  ...['host', 'port', 'user', 'password', 'dbname', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
  ...['channel_binding', 'target_session_attrs', 'options', 'application_name', 'connect_timeout'],
];
/** What other programs call something that exists here. */
const ANOTHER_SCHEMA = 'write options=-c%20search_path%3Dname to use another schema';
const INSTEAD: Readonly<Record<string, string>> = {
  schema: ANOTHER_SCHEMA,
  currentSchema: ANOTHER_SCHEMA,
  search_path: ANOTHER_SCHEMA,
  ssl: `write ssl=true, or sslmode with one of ${SSL_MODES.join(', ')}`,
};

type Given = ReadonlyMap<string, string>;

/** Every parameter by libpq's name for it. Those after the question mark win, as in libpq. */
function parametersOf(text: string, faults: string[]): Given {
  const given = new Map<string, string>();
  const [, login, hosts = '', database = '', query = ''] =
    /^\w+:\/\/(?:([^@]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(text) ?? [];
  const set = (name: string, value: string | undefined): void => {
    if (value) given.set(name, decoded(value, faults));
  };
  const passwordAt = login?.indexOf(':') ?? -1;
  set('user', passwordAt < 0 ? login : login?.slice(0, passwordAt));
  set('password', passwordAt < 0 ? undefined : login?.slice(passwordAt + 1));
  set('host', hosts.replaceAll(/\[([^\]]*)\]|:\d*(?=,|$)/g, '$1'));
  set(
    'port',
    hosts
      .split(',')
      .map((host) => /:(\d*)$/.exec(host.replace(/^\[[^\]]*\]/, ''))?.[1] ?? '')
      .join(','),
  );
  set('dbname', database);
  // What follows a password there could be the rest of it.
  const showsNames = !/(^|&)password=/.test(query);
  for (const pair of query.split('&').filter(Boolean)) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    const fault = setParameter(given, decoded(name, faults), decoded(value, faults), showsNames);
    if (fault !== undefined) faults.push(fault);
  }
  return given;
}

/** What is wrong with the whole, as a person would see at a glance. */
function formFault(text: string): string | undefined {
  if (/^["'`]|["'`]$/.test(text)) return `must be written without quotes (") around it: ${FORM}`;
  if (/^\w+\s*=/.test(text)) return `is a list of key=value: write ${FORM}`;
  const scheme = /^((?:jdbc:)?[a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1] ?? '';
  if (scheme === '') return `must start with postgresql://: write ${FORM}`;
  if (!/^postgres(ql)?$/i.test(scheme))
    return `starts with ${scheme}://, which this service does not know: write ${FORM}`;
  // With a second @, an earlier one belongs to the password. A @ after the host follows a / or ? of the password.
  if (/[#\s\p{Cc}]|@.*@|^[^@]*:\/\/[^@]*[/?].*@/su.test(text)) return ENCODE;
  return undefined;
}

function decoded(text: string, faults: string[]): string {
  try {
    const plain = decodeURIComponent(text);
    if (!plain.includes('\0')) return plain;
  } catch {
    // Said below: the error's own message is about URIs.
  }
  if (!faults.includes(ENCODE)) faults.push(ENCODE);
  return '';
}

/** Returns what is wrong with it. */
function setParameter(
  given: Map<string, string>,
  name: string,
  value: string,
  showsNames: boolean,
): string | undefined {
  const allowed = WITHOUT_EFFECT[name];
  if (name === 'ssl' && value === 'true') given.set('sslmode', given.get('sslmode') ?? 'require');
  // An empty value is none, as in libpq.
  else if (PARAMETERS.includes(name) && value === '') given.delete(name);
  else if (PARAMETERS.includes(name)) given.set(name, value);
  else if (allowed === undefined) {
    const shown = showsNames ? `the parameter ${name}` : 'a parameter';
    return `has ${shown}, which is not supported: ${INSTEAD[name] ?? 'leave it out'}`;
  } else if (!allowed.includes(value)) {
    return `must have ${allowed.join(' or ')} as ${name}, or leave it out`;
  }
  return undefined;
}

function hostsOf(given: Given, faults: string[]): DatabaseAddress['hosts'] {
  const hosts = (given.get('host') ?? '').split(',').map((host) => host.trim());
  const ports = (given.get('port') ?? '').split(',').map((port) => (port === '' ? 5432 : Number(port)));
  if (hosts.includes('')) faults.push(`has no host: write ${FORM}, or host=/directory for a Unix socket`);
  if (!ports.every((port) => Number.isInteger(port) && port > 0 && port <= 65_535)) {
    faults.push('must have a number from 1 to 65535 as port');
  }
  if (ports.length > 1 && ports.length !== hosts.length)
    faults.push('must have one port for each host, or one for all');
  return hosts.map((host, index) => ({ host, port: ports[index] ?? ports[0] ?? 5432 }));
}

function tlsOf(given: Given, faults: string[]): TlsSettings {
  const rootCert = given.get('sslrootcert');
  const settings: TlsSettings = {
    // libpq's defaults.
    mode: oneOf(given, 'sslmode', SSL_MODES, rootCert === 'system' ? 'verify-full' : 'prefer', faults),
    rootCert,
    cert: given.get('sslcert'),
    key: given.get('sslkey'),
  };
  faults.push(...tlsFaults(settings));
  return settings;
}

function oneOf<T extends string>(
  given: Given,
  name: string,
  choices: readonly T[],
  fallback: T,
  faults: string[],
): T {
  const text = given.get(name);
  if (text === undefined) return fallback;
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) faults.push(`must have one of ${choices.join(', ')} as ${name}`);
  return choice ?? fallback;
}

function secondsOf(given: Given, faults: string[]): number | undefined {
  const text = given.get('connect_timeout');
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > 300)
    faults.push('must have a number of seconds from 1 to 300 as connect_timeout');
  return seconds * 1000;
}

/** The user of this process, as in libpq. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    // It has no name: a container with an arbitrary user id.
    return '';
  }
}
