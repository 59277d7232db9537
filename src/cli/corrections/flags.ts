/** What the commands that correct charges have in common. */

import type { Command } from 'commander';
import { readNumber } from '../command.ts';
import { addConnectionFlags, readServer, type Server } from '../connection.ts';

/** Where the service is. */
export interface Connection {
  readonly server: Server;
  readonly retryTimeoutMs: number;
  readonly json?: boolean;
}

/** What every command has that changes what counts. */
export interface CorrectionOptions extends Connection {
  readonly reason: string;
  readonly allowClosedPeriod: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** What one run of `charge void` is to do. */
export interface VoidOptions extends CorrectionOptions {
  readonly ids: readonly string[];
  readonly requestIds: readonly string[];
  readonly importId: string | undefined;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Declares the flags of every such command. */
export function addCommonFlags(command: Command): Command {
  return addConnectionFlags(
    command
      .option('--json', 'print one JSON object on standard output')
      .option('--retry-timeout <seconds>', 'give up on a call after this time, 1 to 86400', '60'),
  );
}

/** Declares the flags of a command that changes what counts. */
export function addCorrectionFlags(command: Command): Command {
  return addCommonFlags(command)
    .option('--reason <text>', 'why, for the record: 1 to 255 characters; needed')
    .option('--dry-run', 'change nothing, and tell what would happen')
    .option('--allow-closed-period', 'also if the usage lies in a closed period')
    .option('--yes', 'do not ask');
}

/** Reads the flags of every such command. */
export function readConnection(command: Command, faults: string[]): Connection {
  const flags = command.opts<{ readonly json?: boolean; readonly retryTimeout: string }>();
  const retryTimeoutMs = readNumber('--retry-timeout', flags.retryTimeout, 86_400, faults) * 1000;
  return { ...flags, server: readServer(command, faults), retryTimeoutMs };
}

/** Reads the flags of a command that changes what counts. */
export function readCorrection(command: Command, faults: string[]): CorrectionOptions {
  const flags = command.opts<Partial<CorrectionOptions>>();
  const { reason = '', allowClosedPeriod = false } = flags;
  const length = [...reason].length;
  if (length < 1 || length > 255) faults.push('--reason: say why, in 1 to 255 characters');
  return { ...flags, ...readConnection(command, faults), reason, allowClosedPeriod };
}

export function readChargeId(text: string, faults: string[]): string {
  return readUuid(text, 'a charge', faults);
}

/** Reads the id of `owner`, such as `an import`. */
export function readUuid(text: string, owner: string, faults: string[]): string {
  if (!UUID.test(text)) faults.push(`${JSON.stringify(text)} is not the id of ${owner}, which is a UUID`);
  return text.toLowerCase();
}

export function readRequestId(text: string, faults: string[]): string {
  if (!/^[ -~]{1,128}$/.test(text))
    faults.push(`--request-id: ${text} is not 1 to 128 printable ASCII characters`);
  return text;
}
