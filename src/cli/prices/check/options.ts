/** The flags of `charge prices check`, and what it has to tell. */

import type { Command } from 'commander';
import type { ListUnpricedUsageResponse } from '../../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { UsageError } from '../../command.ts';
import { readAddressOf, refuseArguments } from '../flags.ts';
import type { History } from '../plan.ts';
import { microsOf, readTime } from '../time.ts';

/** What one check looks at. */
export interface CheckOptions {
  readonly address: string;
  readonly from: Timestamp | undefined;
  readonly to: Timestamp | undefined;
  /** Where to write a price file with a row for each usage. */
  readonly csv?: string;
  readonly json?: boolean;
}

/** What the service says. */
export interface Checked {
  readonly usage: ListUnpricedUsageResponse;
  readonly history: History;
  /** Microseconds since 1970. */
  readonly now: bigint;
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readCheckOptions(command: Command): CheckOptions {
  const flags = command.opts<{ from?: string; to?: string; csv?: string; json?: boolean }>();
  const faults: string[] = [];
  refuseArguments(command, faults);
  const options = {
    ...flags,
    address: readAddressOf(command, faults),
    from: readTime('--from', flags.from, faults),
    to: readTime('--to', flags.to, faults),
  };
  if (options.from && options.to && microsOf(options.from) >= microsOf(options.to))
    faults.push('--from must be before --to');
  if (faults.length > 0) throw new UsageError(faults);
  return options;
}
