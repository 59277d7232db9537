/** The flags that say which file an export writes. */

import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { addCommonFlags, readConnection, type Connection } from '../corrections/flags.ts';
import { FORMAT_NAMES, formatOfFile, type FormatName } from './format.ts';

/** The file that an export writes, and where the service is. */
export interface FileOptions extends Connection {
  readonly format: FormatName;
  /** Path of the file; undefined: standard output. */
  readonly output: string | undefined;
  /** Replace the file if it is there, and forget what was begun with other flags. */
  readonly force: boolean;
}

interface RawFlags {
  readonly format?: string;
  readonly output?: string;
  readonly force?: boolean;
}

/** Declares the flags, in the order and the groups of `--help`. */
export function addFileFlags(command: Command): Command {
  return addCommonFlags(command)
    .optionsGroup('The file:')
    .option('--format <name>', 'csv, ndjson, parquet or focus (default: by the ending of the file, else csv)')
    .option('-o, --output <file>', 'where to write (default: standard output)')
    .option('--force', 'replace the file if it is there');
}

/** Reads the flags. */
export function readFileOptions(command: Command, faults: string[]): FileOptions {
  const flags = command.opts<RawFlags>();
  if (command.args.length > 0) faults.push(`${command.args.join(' ')}: charge export takes flags only`);
  const output = flags.output === '-' ? undefined : flags.output;
  const format = readFormat(flags.format, output, faults);
  const { force = false } = flags;
  if (output !== undefined) checkOutput(output, force, faults);
  const connection = readConnection(command, faults);
  if (output === undefined && connection.json)
    faults.push('--json prints on standard output, so the export needs --output FILE');
  if (output === undefined && format === 'parquet' && process.stdout.isTTY)
    faults.push('Parquet is not for a terminal: --output FILE writes a file');
  return { ...connection, format, output, force };
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
