/** How every command reaches the service: its address, TLS and a credential. */

import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

import { Option, type Command } from 'commander';

import { callableAddress, DEFAULT_LISTEN, formatAddress, isLoopback, parseAddress } from '../config.ts';

/** The service that a command calls. */
export interface Server {
  /** `host:port` that a client can call. */
  readonly address: string;
  /** Undefined: plain text. */
  readonly tls: ClientTls | undefined;
  /** Sent with every call. It is never shown. */
  readonly apiKey: string | undefined;
  /** The flags that reach it, for commands that are printed. */
  readonly flags: readonly string[];
}

/** What is trusted, and what the client shows. */
export interface ClientTls {
  readonly context: SecureContext;
  /** Undefined: the host of the address. */
  readonly serverName: string | undefined;
}

interface Flags {
  readonly address: string;
  readonly tls?: boolean;
  readonly tlsCaFile?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly tlsServerName?: string;
  readonly apiKeyFile?: string;
  readonly allowInsecure?: boolean;
}

const GROUP = 'The connection:';

/** Declares the flags of every command that calls the service. */
export function addConnectionFlags(command: Command): Command {
  const flag = (flags: string, variable: string, text: string): Option =>
    new Option(flags, text).env(variable).helpGroup(GROUP);
  return command
    .addOption(flag('--address <host:port>', 'LISTEN', 'the gRPC server').default(DEFAULT_LISTEN))
    .addOption(
      new Option('--tls', 'use TLS; the other --tls flags imply it (or CHARGE_TLS=true)').helpGroup(GROUP),
    )
    .addOption(flag('--tls-ca-file <path>', 'CHARGE_TLS_CA_FILE', 'trust these certificates only (PEM)'))
    .addOption(flag('--tls-cert-file <path>', 'CHARGE_TLS_CERT_FILE', 'certificate of this client (PEM)'))
    .addOption(flag('--tls-key-file <path>', 'CHARGE_TLS_KEY_FILE', 'its private key (PEM)'))
    .addOption(
      flag('--tls-server-name <name>', 'CHARGE_TLS_SERVER_NAME', 'the name in the certificate of the server'),
    )
    .addOption(
      flag('--api-key-file <path>', 'CHARGE_API_KEY_FILE', 'file with an API key (or CHARGE_API_KEY=KEY)'),
    )
    .addOption(
      new Option('--allow-insecure', 'send the API key in plain text to another machine').helpGroup(GROUP),
    );
}

/** Reads the flags and the files that they name. */
export function readServer(command: Command, faults: string[]): Server {
  const flags = command.opts<Flags>();
  const address = readAddress(command, flags, faults);
  const tls = readTls(flags, faults);
  const apiKey = readApiKey(flags, faults);
  const parsed = parseAddress(address);
  const isOpen = apiKey !== undefined && tls === undefined && parsed !== undefined && !isLoopback(parsed);
  if (isOpen && flags.allowInsecure !== true) {
    faults.push(
      `the API key would be sent to ${address} in plain text: add --tls, or --allow-insecure if nobody else is on this network`,
    );
  }
  return { address, tls, apiKey, flags: typedFlags(command, flags, address) };
}

/**
 * The value of `--address` as an address that a client can call; the unspecified address means this machine.
 * An empty text, as from an empty LISTEN, is the default.
 */
function readAddress(command: Command, { address: text }: Flags, faults: string[]): string {
  const source = isTyped(command, 'address') ? '--address' : 'LISTEN';
  const address = parseAddress(text.trim() || DEFAULT_LISTEN);
  if (address === undefined) {
    faults.push(`${source}: ${JSON.stringify(text)} is not HOST:PORT`);
    return text;
  }
  if (address.port === 0) faults.push(`${source}: port 0 cannot be called; give --address HOST:PORT`);
  return formatAddress(callableAddress(address));
}

function readTls(flags: Flags, faults: string[]): ClientTls | undefined {
  const { tls = false, tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName } = flags;
  const variable = process.env['CHARGE_TLS']?.trim().toLowerCase() ?? '';
  if (!['', 'true', 'false'].includes(variable)) faults.push('CHARGE_TLS: must be true or false');
  const isImplied = [tlsCaFile, tlsCertFile, tlsKeyFile, tlsServerName].some(Boolean);
  if (!tls && variable !== 'true' && !isImplied) return undefined;
  if (Boolean(tlsCertFile) !== Boolean(tlsKeyFile))
    faults.push('--tls-cert-file and --tls-key-file: give both, or none');
  const read = (flag: string, path: string | undefined): string | undefined =>
    path ? readText(flag, path, faults) : undefined;
  const ca = read('--tls-ca-file', tlsCaFile);
  if (ca?.includes('BEGIN CERTIFICATE') === false)
    faults.push('--tls-ca-file: the file holds no certificate in PEM');
  const cert = read('--tls-cert-file', tlsCertFile);
  const key = read('--tls-key-file', tlsKeyFile);
  try {
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ca: ca ?? [...getCACertificates('default'), ...getCACertificates('system')],
      // A certificate in the file is trusted, whoever has issued it.
      allowPartialTrustChain: true,
      ...(cert !== undefined && key !== undefined && { cert, key }),
    });
    return { context, serverName: tlsServerName || undefined };
  } catch (error) {
    faults.push(`--tls-cert-file and --tls-key-file cannot be used: ${(error as Error).message}`);
    return undefined;
  }
}

/** A key is visible ASCII without blanks, as every header value that is a token. */
const API_KEY = /^[!-~]{1,4096}$/;

function readApiKey({ apiKeyFile }: Flags, faults: string[]): string | undefined {
  const [source, text] = apiKeyFile
    ? ['--api-key-file', readText('--api-key-file', apiKeyFile, faults)]
    : ['CHARGE_API_KEY', process.env['CHARGE_API_KEY']];
  const key = text?.trim();
  if (!key) {
    if (apiKeyFile && text !== undefined) faults.push('--api-key-file: the file is empty');
    return undefined;
  }
  if (API_KEY.test(key)) return key;
  faults.push(`${source}: this is no API key: it has blanks or characters that are not ASCII`);
  return undefined;
}

function readText(flag: string, path: string, faults: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`${flag}: ${(error as Error).message}`);
    return undefined;
  }
}

function isTyped(command: Command, name: keyof Flags): boolean {
  return command.getOptionValueSource(name) === 'cli';
}

/** Not what comes from the environment, where the next command finds it too. */
function typedFlags(command: Command, flags: Flags, address: string): string[] {
  const named: readonly (readonly [keyof Flags, string])[] = [
    ['tls', '--tls'],
    ['tlsCaFile', '--tls-ca-file'],
    ['tlsCertFile', '--tls-cert-file'],
    ['tlsKeyFile', '--tls-key-file'],
    ['tlsServerName', '--tls-server-name'],
    ['apiKeyFile', '--api-key-file'],
    ['allowInsecure', '--allow-insecure'],
  ];
  const place = address === DEFAULT_LISTEN ? [] : ['--address', address];
  const typed = named.filter(([name]) => isTyped(command, name));
  return [
    ...place,
    ...typed.flatMap(([name, flag]) => (flags[name] === true ? [flag] : [flag, `${flags[name]}`])),
  ];
}
