/** What `charge archive` is to do, from its flags. */

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { throwFaults } from '../command.ts';
import { readConnection, type Connection } from '../corrections/flags.ts';
import { microsOf, readTime } from '../time.ts';

/** What one run is to do. */
export interface ArchiveOptions extends Connection {
  /** Charges with an earlier usage time. */
  readonly before: Timestamp;
  /** The period that counts ends then or later. */
  readonly periodEnd: Timestamp;
  /** Path of the file. */
  readonly output: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readOptions(command: Command): ArchiveOptions {
  const flags = command.opts<
    Partial<Record<'before' | 'output' | 'periodEnd', string>> & Partial<Record<'dryRun' | 'yes', boolean>>
  >();
  const faults: string[] = [];
  if (command.args.length > 0) faults.push(`${command.args.join(' ')}: charge archive takes flags only`);
  const before = readTime('--before', flags.before, faults);
  if (flags.before === undefined) faults.push('--before: say which charges');
  const periodEnd = readTime('--period-end', flags.periodEnd, faults) ?? before;
  if (before && periodEnd && microsOf(periodEnd) < microsOf(before))
    faults.push('--period-end must not be before --before');
  const { output = '', dryRun = false, yes = false } = flags;
  if (!/\.ndjson$/i.test(output)) faults.push('--output: name a file that ends with .ndjson');
  else if (existsSync(`${output}.part`) && existsSync(output))
    faults.push(`--output: there are both ${output} and ${output}.part; move one of them away`);
  const connection = readConnection(command, faults);
  throwFaults(faults);
  if (!before || !periodEnd) throw new TypeError('a time is missing without a fault');
  return { ...connection, before, periodEnd, output, dryRun, yes };
}
