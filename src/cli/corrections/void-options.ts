/** The flags of `charge void` and their rules. */

import type { Command } from 'commander';
import { readChargeId, readConnection, readReason, throwFaults, type RawFlags } from './flags.ts';

/** What one run is to do. */
export interface VoidOptions {
  readonly ids: readonly string[];
  readonly requestIds: readonly string[];
  readonly importId: string | undefined;
  readonly reason: string;
  readonly allowClosedPeriod: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly yes: boolean;
  readonly address: string;
  readonly retryTimeoutMs: number;
}

type VoidFlags = RawFlags & { readonly requestId?: string[]; readonly import?: string };

/** Reads the command line that commander has taken apart. Throws a UsageError with every fault. */
export function readVoidOptions(command: Command): VoidOptions {
  const flags = command.opts<VoidFlags>();
  const faults: string[] = [];
  const ids = [...new Set(command.args.map((id) => readChargeId(id, faults)))];
  const { requestId: requestIds = [], import: importId } = flags;
  for (const id of requestIds)
    if (!/^[ -~]{1,128}$/.test(id)) faults.push(`--request-id: ${id} is not a request id`);
  const isImport = importId !== undefined;
  if (isImport === ids.length + requestIds.length > 0)
    faults.push('name the charges by their ids and --request-id, or by --import');
  const options = {
    ids,
    requestIds,
    importId: isImport ? readChargeId(importId, faults) : undefined,
    reason: readReason(flags.reason, faults),
    allowClosedPeriod: flags.allowClosedPeriod ?? false,
    dryRun: flags.dryRun ?? false,
    json: flags.json ?? false,
    yes: flags.yes ?? false,
    ...readConnection(flags, faults),
  };
  throwFaults(faults);
  return options;
}
