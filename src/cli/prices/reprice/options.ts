/** The flags of `charge prices reprice` and their rules. */

import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { UsageError } from '../../command.ts';
import { readAddressOf, refuseArguments } from '../flags.ts';
import { microsOf, readTime } from '../time.ts';

/** What one run is to do. */
export interface RepriceOptions {
  readonly address: string;
  readonly from: Timestamp;
  readonly to: Timestamp;
  readonly includePriced: boolean;
  readonly dryRun: boolean;
  readonly reason: string;
  readonly runId: string;
  /** Where an earlier run stopped; empty: at the first charge. */
  readonly pageToken: string;
  readonly allowClosedPeriod: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

type RawFlags = Partial<Record<'from' | 'to' | 'reason' | 'runId' | 'pageToken', string>> &
  Partial<Record<'includePriced' | 'dryRun' | 'allowClosedPeriod' | 'yes' | 'json', boolean>>;

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readRepriceOptions(command: Command): RepriceOptions {
  const flags = command.opts<RawFlags>();
  const faults: string[] = [];
  refuseArguments(command, faults);
  const { dryRun = false, reason = '', runId = `reprice-${randomUUID()}` } = flags;
  const from = readTime('--from', flags.from, faults);
  const to = readTime('--to', flags.to, faults);
  for (const [flag, value] of [['--from', flags.from] as const, ['--to', flags.to] as const])
    if (value === undefined) faults.push(`${flag} is needed`);
  if (from && to && microsOf(from) >= microsOf(to)) faults.push('--from must be before --to');
  if (!dryRun && reason === '') faults.push('--reason is needed, unless --dry-run');
  if (reason.length > 255) faults.push('--reason: at most 255 characters');
  if (!/^[ -~]{1,128}$/.test(runId)) faults.push('--run-id: 1 to 128 printable ASCII characters');
  if (flags.pageToken !== undefined && flags.runId === undefined && !dryRun)
    faults.push('--page-token needs the --run-id of the run that stopped');
  const address = readAddressOf(command, faults);
  if (faults.length > 0 || !from || !to) throw new UsageError(faults);
  return {
    address,
    from,
    to,
    includePriced: flags.includePriced ?? false,
    dryRun,
    reason,
    runId,
    pageToken: flags.pageToken ?? '',
    allowClosedPeriod: flags.allowClosedPeriod ?? false,
    yes: flags.yes ?? false,
    json: flags.json ?? false,
  };
}
