/** What every subcommand shares: exit statuses, faults of the command line, and flags with their rules. */

import { Option } from 'commander';

/** Exit statuses, the same for every subcommand. After a signal: 130 (SIGINT) or 143 (SIGTERM). */
export const EXIT = {
  ok: 0,
  /** The command ran to its end, but not everything was accepted. */
  rejected: 1,
  /** Wrong flags or an unusable file. Nothing was sent. */
  usage: 2,
  /** The command did not run to its end, for example because the service cannot be reached. */
  failed: 3,
} as const;

/** Runs a subcommand: it gets the signal of Ctrl-C and SIGTERM and returns the exit status. */
export type RunCommand = (command: (interrupt: AbortSignal) => Promise<number>) => Promise<void>;

/** The command line or a file that it names asks for something impossible. Exit status 2. */
export class UsageError extends Error {
  override name = 'UsageError';
  /** Everything that is wrong, each as one line. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** `--address`, for every command that calls the service. Its value goes through {@link readAddress}. */
export function addressOption(): Option {
  return new Option('--address <host:port>', 'the gRPC server, without TLS')
    .env('LISTEN')
    .default('127.0.0.1:50051');
}

/**
 * Turns `text` into an address that a client can call; the unspecified address means this machine.
 * An empty text, as from an empty LISTEN, is the default. `source` names the flag or variable in a fault.
 */
export function readAddress(text: string, source: string, faults: string[]): string {
  const address = text === '' ? '127.0.0.1:50051' : text;
  const match = /^(\[[0-9a-f:.%]+\]|[^\s:/[\]]*):(\d{1,5})$/i.exec(address);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) faults.push(`${source}: ${JSON.stringify(address)} is not HOST:PORT`);
  else if (port === 0) faults.push(`${source}: port 0 cannot be called; give --address HOST:PORT`);
  const host = match?.[1] ?? '';
  if (host === '' || host === '0.0.0.0') return `127.0.0.1:${port}`;
  return host === '[::]' ? `[::1]:${port}` : address;
}

/** Reads a whole number from 1 to `max`. */
export function readNumber(flag: string, text: string, max: number, faults: string[]): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max)
    faults.push(`${flag}: expected a whole number from 1 to ${max}, not ${text}`);
  return number;
}
