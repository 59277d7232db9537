/** Connections to NATS. */

import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';

import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';

import { type NatsAccess, readNatsAccess } from './nats-access.ts';
import { PublishError } from './publisher.ts';

/** How to reach NATS. */
export interface NatsAddress {
  /** `nats://user:password@host:port` or `tls://…`, several separated by commas. */
  readonly url: string;
  readonly access?: NatsAccess | undefined;
  readonly connectTimeoutMs: number;
}

/**
 * Connects once, under this name, with what the files of `access` say now. Rejects with a silent {@link PublishError} if
 * that fails.
 */
export async function connectToNats(address: NatsAddress, name: string): Promise<NatsConnection> {
  try {
    return await connect(connectionOptions(address, name));
  } catch (error) {
    return silent('cannot connect')(error);
  }
}

/** Throws what the client has thrown, with the place where it happened. */
export function silent(place: string): (error: unknown) => never {
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PublishError(`${place}: ${reason}`, 'silent', error);
  };
}

function connectionOptions(
  { url, access = {}, connectTimeoutMs }: NatsAddress,
  name: string,
): NodeConnectionOptions {
  const servers = url.split(',').map((part) => new URL(part.trim()));
  const [first] = servers;
  if (first === undefined) throw new RangeError('no NATS server given');
  const secrets = readNatsAccess(access, url);
  const tls = secrets.tls ?? (first.protocol === 'tls:' ? {} : undefined);
  return {
    servers: servers.map(({ host }) => host),
    ...credentialsOf(secrets, first),
    ...(tls && { tls: { ...tls, ...identityOf(servers) } }),
    name,
    timeout: connectTimeoutMs,
    // The relay reconnects by itself: what the client buffers while it is away would be sent twice.
    reconnect: false,
    pingInterval: 5_000,
    maxPingOut: 2,
  };
}

function credentialsOf(
  { creds, seed, token, user, password }: ReturnType<typeof readNatsAccess>,
  url: URL,
): Pick<NodeConnectionOptions, 'authenticator' | 'user' | 'pass' | 'token'> {
  if (creds !== undefined) return { authenticator: credsAuthenticator(creds) };
  if (seed !== undefined) return { authenticator: nkeyAuthenticator(Buffer.from(seed)) };
  if (token !== undefined) return { token };
  if (user !== undefined && password !== undefined) return { user, pass: password };
  if (url.password) return { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) };
  return url.username ? { token: decodeURIComponent(url.username) } : {};
}

/** The client names no host if it is an IP address, and Node would take the certificate of `localhost` then. */
function identityOf(servers: readonly URL[]): object {
  const hosts = servers.map(({ hostname }) => hostname.replace(/^\[|\]$/g, ''));
  const check: typeof checkServerIdentity = (name, certificate) => {
    const names = hosts.includes(name) ? [name] : hosts.filter((host) => isIP(host) > 0);
    const faults = (names.length > 0 ? names : [name]).map((one) => checkServerIdentity(one, certificate));
    return faults.includes(undefined) ? undefined : faults[0];
  };
  return { checkServerIdentity: check };
}
