/** What every subcommand shares: exit statuses, faults of the command line, and flags with their rules. */

import { Option, type Command } from 'commander';
import { callableAddress, DEFAULT_LISTEN, formatAddress, parseAddress } from '../config.ts';

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

  /** More for `--json`. */
  details: object = {};

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** `--address`, for every command that calls the service. See {@link readAddress}. */
export function addressOption(): Option {
  return new Option('--address <host:port>', 'the gRPC server, without TLS')
    .env('LISTEN')
    .default(DEFAULT_LISTEN);
}

/**
 * The value of `--address` as an address that a client can call; the unspecified address means this machine.
 * An empty text, as from an empty LISTEN, is the default.
 */
export function readAddress(command: Command, faults: string[]): string {
  const { address: text } = command.opts<{ address: string }>();
  const source = command.getOptionValueSource('address') === 'cli' ? '--address' : 'LISTEN';
  const address = parseAddress(text.trim() || DEFAULT_LISTEN);
  if (address === undefined) {
    faults.push(`${source}: ${JSON.stringify(text)} is not HOST:PORT`);
    return text;
  }
  if (address.port === 0) faults.push(`${source}: port 0 cannot be called; give --address HOST:PORT`);
  return formatAddress(callableAddress(address));
}

/** Reads a whole number from 1 to `max`. */
export function readNumber(flag: string, text: string, max: number, faults: string[]): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max)
    faults.push(`${flag}: expected a whole number from 1 to ${max}, not ${text}`);
  return number;
}

/** Throws a {@link UsageError} if there are faults. */
export function throwFaults(faults: readonly string[]): void {
  if (faults.length > 0) throw new UsageError(faults);
}
