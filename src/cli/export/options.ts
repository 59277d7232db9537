/** The flags of `charge export charges` and their rules. */

import type { Command } from 'commander';
import type { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';
import { throwFaults } from '../command.ts';
import { addFilterFlags, readFilter } from '../filter-flags.ts';
import { readRange } from '../time.ts';
import { addFileFlags, readFileOptions, type FileOptions } from './file-flags.ts';

/** What one export is to do. */
export interface ExportOptions extends FileOptions {
  readonly filter: ChargeFilter;
  readonly includeCorrected: boolean;
}

/** Declares the flags, in the order and the groups of `--help`. */
export function addFlags(command: Command): void {
  addFileFlags(command)
    .optionsGroup('Which charges (all that are given must match):')
    .option('--from <time>', 'usage from this moment on: 2026-09-01, or 2026-09-01T10:00:00+02:00')
    .option('--to <time>', 'usage before this moment');
  addFilterFlags(command);
  command.option('--include-corrected', 'also charges that were voided or amended, which do not count');
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readOptions(command: Command): ExportOptions {
  const flags = command.opts<{ from?: string; to?: string; includeCorrected?: boolean }>();
  const faults: string[] = [];
  const file = readFileOptions(command, faults);
  const { includeCorrected = false } = flags;
  if (file.format === 'focus' && includeCorrected)
    faults.push('--include-corrected: in FOCUS every row counts, so charges that do not count have no place');
  const { from: startTime, to: endTime } = readRange(flags, faults);
  const filter = { ...readFilter(command, faults), startTime, endTime };
  throwFaults(faults);
  return { ...file, filter, includeCorrected };
}
