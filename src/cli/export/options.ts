/** The flags of `charge export charges` and their rules. */

import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { throwFaults } from '../command.ts';
import { addCommonFlags, readConnection, type Connection } from '../corrections/flags.ts';
import { addFilterFlags, readFilter } from '../filter-flags.ts';
import { readRange } from '../time.ts';
import { FORMAT_NAMES, formatOfFile, type FormatName } from './format.ts';
import type { ChargeFilter } from '../../../generated/charge/v1/charge_service.ts';

/** What one export is to do. */
export interface ExportOptions extends Connection {
  readonly format: FormatName;
  /** Path of the file; undefined: standard output. */
  readonly output: string | undefined;
  /** Replace the file if it is there, and forget what was begun with other flags. */
  readonly force: boolean;
  readonly filter: ChargeFilter;
  readonly includeCorrected: boolean;
}

interface RawFlags {
  readonly from?: string;
  readonly to?: string;
  readonly format?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly includeCorrected?: boolean;
}

/** Declares the flags, in the order and the groups of `--help`. */
export function addFlags(command: Command): void {
  addCommonFlags(command)
    .optionsGroup('The file:')
    .option('--format <name>', 'csv, ndjson, parquet or focus (default: by the ending of the file, else csv)')
    .option('-o, --output <file>', 'where to write (default: standard output)')
    .option('--force', 'replace the file if it is there');
  addFilterFlags(
    command
      .optionsGroup('Which charges (all that are given must match):')
      .option('--from <time>', 'usage from this moment on: 2026-09-01, or 2026-09-01T10:00:00+02:00')
      .option('--to <time>', 'usage before this moment'),
  );
  command.option('--include-corrected', 'also charges that were voided or amended, which do not count');
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readOptions(command: Command): ExportOptions {
  const flags = command.opts<RawFlags>();
  const faults: string[] = [];
  if (command.args.length > 0) faults.push(`${command.args.join(' ')}: charge export takes flags only`);
  const output = flags.output === '-' ? undefined : flags.output;
  const format = readFormat(flags.format, output, faults);
  const { includeCorrected = false, force = false } = flags;
  if (format === 'focus' && includeCorrected)
    faults.push('--include-corrected: in FOCUS every row counts, so charges that do not count have no place');
  if (output !== undefined) checkOutput(output, force, faults);
  const connection = readConnection(command, faults);
  if (output === undefined && connection.json)
    faults.push('--json prints on standard output, so the charges need --output FILE');
  if (output === undefined && format === 'parquet' && process.stdout.isTTY)
    faults.push('Parquet is not for a terminal: --output FILE writes a file');
  const { from: startTime, to: endTime } = readRange(flags, faults);
  const filter = { ...readFilter(command, faults), startTime, endTime };
  throwFaults(faults);
  return { ...connection, format, output, force, filter, includeCorrected };
}

function readFormat(name: string | undefined, output: string | undefined, faults: string[]): FormatName {
  const format = FORMAT_NAMES.find((known) => known === name);
  if (name !== undefined && !format) faults.push(`--format: ${name} is not csv, ndjson, parquet or focus`);
  return format ?? formatOfFile(output ?? '') ?? 'csv';
}

function checkOutput(output: string, force: boolean, faults: string[]): void {
  if (/\.(?:gz|zst)$/i.test(output))
    faults.push(
      `--output: ${output} would not be compressed; without --output, | gzip > ${output} does that`,
    );
  try {
    const stat = statSync(output, { throwIfNoEntry: false });
    if (!stat) return;
    if (!stat.isFile()) faults.push(`--output: ${output} is not a file`);
    else if (!force) faults.push(`--output: ${output} is there already; --force replaces it`);
  } catch (error) {
    faults.push(`--output: ${(error as Error).message}`);
  }
}
