/** The flags of `charge import` and their rules. */

import { basename, dirname, extname } from 'node:path';
import type { Command } from 'commander';
import { readNumber, throwFaults } from '../command.ts';
import { addConnectionFlags, readServer, type Server } from '../connection.ts';
import { FIELD_NAMES, fieldNamed, type Field } from './fields.ts';
import { isWritable } from './rejects.ts';
import type { Format } from './row.ts';

/** What commander reads as it is. */
interface Flags {
  readonly requestIdColumn?: string;
  /** Stands before every request id. */
  readonly requestIdPrefix?: string;
  /** A provider that the contract does not name becomes PROVIDER_OTHER of that name. */
  readonly otherProviders?: boolean;
  readonly json?: boolean;
  /** Send without asking. */
  readonly yes?: boolean;
  /** Send nothing, and tell what would happen. */
  readonly dryRun?: boolean;
}

/** What commander reads and {@link readOptions} judges. */
interface RawFlags
  extends
    Flags,
    Record<'streams' | 'window' | 'retryTimeout', string>,
    Partial<Record<'format' | 'delimiter' | 'rejects', string>> {
  readonly map?: string[];
  readonly set?: string[];
  readonly labels?: string | true;
}

/** What one import is to do. */
export interface ImportOptions extends Flags {
  /** Path of the file; `-`: standard input. */
  readonly file: string;
  readonly server: Server;
  /** By the flag or the extension. Undefined: the content of the file tells. */
  readonly format: Format | undefined;
  /** Undefined: the content of the file tells. */
  readonly delimiter: string | undefined;
  /** `--map`: fields, each with the name of its column, or of columns with `+` between them. */
  readonly map: readonly (readonly [Field, string])[];
  /** `--set`: fields, each with its text, for rows without a value of their own. */
  readonly constants: readonly (readonly [Field, string])[];
  /** Columns that become labels; true: all that fill no field. */
  readonly labels: true | readonly string[] | undefined;
  readonly rejectsPath: string;
  readonly streams: number;
  readonly windowRows: number;
  readonly retryTimeoutMs: number;
}

const FORMATS: Readonly<Record<string, Format>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.json': 'json',
};

/** Declares the flags, in the order and the groups of `--help`. */
export function addFlags(command: Command): void {
  const collect = (value: string, before: string[] = []): string[] => [...before, value];
  command
    .optionsGroup('The file:')
    .option('--format <name>', 'csv, tsv, ndjson or json (default: by the extension or the content)')
    .option('--delimiter <char>', 'the character between the cells of a CSV file (default: by the content)')
    .optionsGroup('Columns:')
    .option(
      '--map <field=column>',
      'this column fills this field; A+B adds columns up; can be repeated',
      collect,
    )
    .option(
      '--set <field=value>',
      'rows without a value for this field get this one; can be repeated',
      collect,
    )
    .option('--labels [columns]', 'these columns (A,B) become labels; without names, all that fill no field')
    .option(
      '--other-providers',
      'a provider that the contract does not name becomes PROVIDER_OTHER of that name',
    )
    .option(
      '--request-id-column <name>',
      'the file has its own request ids, in this column; A+B: in several together',
    )
    .option(
      '--request-id-prefix <text>',
      'put this before every request id, to record again what was voided: 1 to 64 printable ASCII characters',
    )
    .optionsGroup('Before sending:')
    .option('--dry-run', 'read the whole file, send nothing, and tell what would happen')
    .option('--yes', 'send without asking, also if the plan has doubts')
    .optionsGroup('Result:')
    .option('--rejects <path>', 'the file for rejected rows (default: FILE.rejects.ndjson, made if needed)')
    .option('--json', 'print one JSON object on standard output instead of the summary')
    .optionsGroup('Speed:')
    .option('--streams <n>', 'RecordCharges streams at a time, 1 to 16', '2')
    .option('--window <n>', 'most rows that are sent and not answered, 1 to 100000', '2000')
    .option('--retry-timeout <seconds>', 'give up after this time without any answer, 1 to 86400', '60');
  addConnectionFlags(command);
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
export function readOptions(command: Command): ImportOptions {
  const flags = command.opts<RawFlags>();
  const faults: string[] = [];
  const file = readFile(command.args, faults);
  const format = readFormat(flags.format, file, faults);
  if (flags.delimiter !== undefined && !/^[^"\r\n]$/u.test(flags.delimiter)) {
    faults.push('--delimiter: expected one character that is no quote and no line end');
  }
  if (!/^[ -~]{1,64}$/.test(flags.requestIdPrefix ?? '-'))
    faults.push('--request-id-prefix: expected 1 to 64 printable ASCII characters');
  const map = readPairs('--map', flags.map, faults);
  const constants = readPairs('--set', flags.set, faults);
  const options: ImportOptions = {
    ...flags,
    file,
    format,
    map,
    constants,
    labels: readLabels(flags.labels, faults),
    server: readServer(command, faults),
    delimiter: flags.delimiter,
    rejectsPath: flags.rejects ?? defaultRejectsPath(file),
    streams: readNumber('--streams', flags.streams, 16, faults),
    windowRows: readNumber('--window', flags.window, 100_000, faults),
    retryTimeoutMs: readNumber('--retry-timeout', flags.retryTimeout, 86_400, faults) * 1000,
  };
  throwFaults(faults);
  return options;
}

/** Next to the file, or in the working directory if the folder of the file is read-only. */
function defaultRejectsPath(file: string): string {
  const path = `${file === '-' ? 'stdin' : file}.rejects.ndjson`;
  return isWritable(dirname(path)) ? path : basename(path);
}

function readFile(args: readonly string[], faults: string[]): string {
  const [file = ''] = args;
  if (args.length !== 1) faults.push(`one FILE is needed, ${args.length} are given; it goes before --labels`);
  return file;
}

function readLabels(labels: string | true | undefined, faults: string[]): true | string[] | undefined {
  if (labels === undefined || labels === true) return labels;
  const columns = labels.split(',').map((column) => column.trim());
  if (columns.includes('')) faults.push(`--labels: expected columns with commas between them, not ${labels}`);
  return [...new Set(columns)];
}

function readFormat(format: string | undefined, file: string, faults: string[]): Format | undefined {
  // What is in usage.csv.gz is CSV.
  const name = file.replace(/\.(?:gz|zst)$/i, '');
  const known = FORMATS[format === undefined ? extname(name).toLowerCase() : `.${format}`];
  if (!known && format !== undefined) faults.push(`--format: ${format} is not csv, tsv, ndjson or json`);
  return known;
}

/** Reads the values of a repeated flag. Each field may be given once. */
function readPairs(flag: '--map' | '--set', pairs: readonly string[] = [], faults: string[]) {
  const fields = new Map<string, readonly [Field, string]>();
  for (const pair of pairs) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
    const field = fieldNamed(name.trim());
    if (name === '' || (value === '' && flag === '--set'))
      faults.push(`${flag}: expected FIELD=${flag === '--map' ? 'COLUMN' : 'VALUE'}, not ${pair}`);
    else if (!field)
      faults.push(`${flag}: there is no field ${name}; fields are ${FIELD_NAMES.join(', ')}, label.KEY`);
    else if (fields.has(field.name)) faults.push(`${flag}: ${field.name} is given twice`);
    else fields.set(field.name, [field, value]);
  }
  return [...fields.values()];
}
