/** What the commands that correct charges have in common. */

import type { Command } from 'commander';
import { addressOption, EXIT, readAddress, readNumber, UsageError } from '../command.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { Refused, type Repeats } from '../unary.ts';
import { ChargeServiceClient } from '../../../generated/charge/v1/charge_service.ts';

/** Flags that commander reads as they are. */
export interface RawFlags {
  readonly address: string;
  readonly retryTimeout: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly allowClosedPeriod?: boolean;
  readonly json?: boolean;
  readonly yes?: boolean;
}

const CONNECT_TIMEOUT_MS = 5000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Declares the flags of every such command. */
export function addCommonFlags(command: Command): Command {
  return command
    .addOption(addressOption())
    .option('--json', 'print one JSON object on standard output')
    .option('--retry-timeout <seconds>', 'give up on a call after this time, 1 to 86400', '60');
}

/** Declares the flags of a command that changes what counts. */
export function addCorrectionFlags(command: Command): Command {
  return addCommonFlags(command)
    .option('--reason <text>', 'why, for the record: 1 to 255 characters; needed')
    .option('--dry-run', 'change nothing, and tell what would happen')
    .option('--allow-closed-period', 'also if the usage lies in a closed period')
    .option('--yes', 'do not ask');
}

/** Reads `--address` and `--retry-timeout`. */
export function readConnection(
  flags: RawFlags,
  faults: string[],
): { address: string; retryTimeoutMs: number } {
  return {
    address: readAddress(flags.address, '--address', faults),
    retryTimeoutMs: readNumber('--retry-timeout', flags.retryTimeout, 86_400, faults) * 1000,
  };
}

export function readReason(reason: string | undefined, faults: string[]): string {
  const length = [...(reason ?? '')].length;
  if (length < 1 || length > 255) faults.push('--reason: say why, in 1 to 255 characters');
  return reason ?? '';
}

export function readChargeId(text: string, faults: string[]): string {
  if (!UUID.test(text)) faults.push(`${JSON.stringify(text)} is not the id of a charge, which is a UUID`);
  return text.toLowerCase();
}

/** Throws a {@link UsageError} if there are faults. */
export function throwFaults(faults: readonly string[]): void {
  if (faults.length > 0) throw new UsageError(faults);
}

/** A connection, and how its calls are repeated. */
export interface Session {
  readonly client: ChargeServiceClient;
  readonly address: string;
  readonly repeats: Repeats;
}

/**
 * Runs a command with a connection and returns its exit status. Tells a person if the service cannot be reached or
 * refuses.
 */
export async function withSession(
  { address, retryTimeoutMs }: { address: string; retryTimeoutMs: number },
  interrupt: AbortSignal,
  run: (session: Session) => Promise<number>,
): Promise<number> {
  const client = openClient(ChargeServiceClient, address);
  try {
    await waitForServer(client, CONNECT_TIMEOUT_MS);
    return await run({ client, address, repeats: { retryTimeoutMs, interrupt } });
  } catch (error) {
    if (error instanceof ServiceUnavailable) {
      process.stderr.write(`${error.message}. Run the same command again: nothing is done twice.\n`);
      return EXIT.failed;
    }
    if (error instanceof Refused) {
      process.stderr.write(`The service refused: ${error.message}\n`);
      return EXIT.rejected;
    }
    throw error;
  } finally {
    client.close();
  }
}
