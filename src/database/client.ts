/** One connection to PostgreSQL as a URL describes it. Nothing else in the service opens one. */

import { Client, type ClientConfig } from 'pg';

import { withChannelBinding } from './channel-binding.ts';
import type { DatabaseAddress } from './database-url.ts';
import { sqlState } from './sql-errors.ts';
import { tlsOptions } from './tls.ts';

/** What the user of a connection decides; the URL decides the rest. */
export type ConnectionSettings = ClientConfig & {
  /** For all hosts together. */
  readonly connectionTimeoutMillis: number;
};

/** One attempt to connect. */
interface Target {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/**
 * pg's client for this address. Its `connect()` tries the hosts in turn, with and without TLS as `sslmode` says. It
 * rejects with the last failure, if possible with one that says more than that a server does or does not want TLS.
 * Listeners must be added after it: an attempt that fails may remove them.
 */
export function clientFor(address: DatabaseAddress): new (settings: ConnectionSettings) => Client {
  const targets = targetsOf(address);
  return class extends Client {
    readonly #settings: ConnectionSettings;

    constructor(settings: ConnectionSettings) {
      super(
        configOf(address, within(settings, settings.connectionTimeoutMillis / targets.length), targets[0]),
      );
      this.#settings = settings;
    }

    override connect(): Promise<Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<Client> | undefined {
      const connected = this.#connectToAny().then(() => this);
      if (callback === undefined) return connected;
      // pg calls it without an error too, which its types do not say.
      connected.then(() => (callback as () => void)(), callback);
      return undefined;
    }

    async #connectToAny(): Promise<void> {
      const deadline = performance.now() + this.#settings.connectionTimeoutMillis;
      const failures: unknown[] = [];
      for (const [index, target] of targets.entries()) {
        if (index > 0) this.#startAgain(target, (deadline - performance.now()) / (targets.length - index));
        try {
          await this.#connectOnce();
          if (await isSuitable(this, address)) return;
          await this.end();
          throw unsuitable(address);
        } catch (error) {
          failures.push(error);
          if (isFinal(error) || performance.now() >= deadline) break;
        }
      }
      throw failures.findLast((error) => !isAboutTls(error)) ?? failures.at(-1);
    }

    async #connectOnce(): Promise<void> {
      if (address.channelBinding === 'require')
        await withChannelBinding(this.connection, () => super.connect());
      else await super.connect();
    }

    /** pg's client can connect only once. So this one takes over every field of one that has not connected yet. */
    #startAgain(target: Target, timeoutMs: number): void {
      const { connection } = this;
      connection.removeAllListeners();
      connection.on('error', () => undefined);
      connection.stream.destroy();
      Object.assign(this, new Client(configOf(address, within(this.#settings, timeoutMs), target)));
    }
  };
}

function within(settings: ConnectionSettings, timeoutMs: number): ConnectionSettings {
  return { ...settings, connectionTimeoutMillis: Math.max(1, timeoutMs) };
}

function targetsOf({ hosts, tls: { mode } }: DatabaseAddress): [Target, ...Target[]] {
  const attempts: Partial<Record<typeof mode, boolean[]>> = {
    disable: [false],
    allow: [false, true],
    prefer: [true, false],
  };
  return hosts.flatMap(({ host, port }) =>
    // Nobody can listen in on a Unix socket, and PostgreSQL offers no TLS there.
    (host.startsWith('/') ? [false] : (attempts[mode] ?? [true])).map((tls) => ({ host, port, tls })),
  ) as [Target, ...Target[]];
}

/** What is not in the URL has a value here too, so that pg does not take it from PGSSLMODE and the like. */
function configOf(address: DatabaseAddress, settings: ConnectionSettings, target: Target): ClientConfig {
  const { user, password, database, applicationName, options } = address;
  return {
    ...settings,
    ...(applicationName !== undefined && { application_name: applicationName }),
    host: target.host,
    port: target.port,
    user,
    database,
    password: password ?? missingPassword,
    ssl: target.tls && tlsOptions(address.tls, target.host),
    sslnegotiation: 'postgres',
    enableChannelBinding: address.channelBinding === 'require',
    client_encoding: 'utf8',
    options,
  };
}

/** Called when the server asks for one. Without it, pg would read ~/.pgpass and warn that this will end. */
function missingPassword(): never {
  throw new Error('PostgreSQL asks for a password, and the URL has none');
}

const READ_ONLY = '25006';

async function isSuitable(client: Client, { targetSessionAttrs }: DatabaseAddress): Promise<boolean> {
  if (targetSessionAttrs === 'any') return true;
  const { rows } = await client.query<{ standby: boolean; read_only: boolean }>(
    `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::boolean AS read_only`,
  );
  return !(targetSessionAttrs === 'primary' ? rows[0]?.standby : rows[0]?.read_only);
}

/** It may become suitable: a standby that is about to be promoted. */
function unsuitable({ targetSessionAttrs }: DatabaseAddress): Error {
  const message = `no host of the URL is ${targetSessionAttrs} now, which its target_session_attrs asks for`;
  return Object.assign(new Error(message), { code: READ_ONLY, severity: 'FATAL' });
}

/** Whether another attempt would only hide the server's answer: no such user or database, or a wrong password. */
function isFinal(error: unknown): boolean {
  return /^(28|3D)/.test(sqlState(error) ?? '') && !isAboutTls(error);
}

/** The rules of pg_hba.conf may be different for connections with and without TLS. */
function isAboutTls(error: unknown): boolean {
  return error instanceof Error && /pg_hba\.conf|does not support SSL/.test(error.message);
}
