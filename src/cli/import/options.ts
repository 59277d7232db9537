/** Reads the command line: every flag, or every fault at once. */

import { basename, extname } from 'node:path';
import { parseArgs } from 'node:util';
import { FIELD_NAMES, nameOf, targetOf, type Target } from './fields.ts';
import type { Format } from './read-rows.ts';
import { FILE_ID } from './request-id.ts';

/** What one import is to do. */
export interface ImportOptions {
  /** Path of the file; `-`: standard input. */
  readonly file: string;
  readonly address: string;
  readonly format: Format;
  readonly delimiter: string;
  readonly sourceName: string | undefined;
  readonly fileId: string | undefined;
  /** Field (canonical name) → column. */
  readonly map: ReadonlyMap<string, string>;
  readonly constants: readonly (readonly [Target, string])[];
  readonly unknownAsLabels: boolean;
  readonly otherProviders: boolean;
  readonly requestIdColumn: string | undefined;
  readonly rejectsPath: string;
  /** No --rejects was given: the path may move where its folder is read-only. */
  readonly rejectsIsDefault: boolean;
  readonly json: boolean;
  readonly streams: number;
  readonly windowRows: number;
  readonly retryTimeoutMs: number;
}

/** The command line, or the file's header, asks for something impossible. Exit status 2. */
export class UsageError extends Error {
  override name = 'UsageError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

const FORMATS: Readonly<Record<string, Format>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
};

const FLAGS = {
  address: { type: 'string' },
  format: { type: 'string' },
  delimiter: { type: 'string' },
  'source-name': { type: 'string' },
  'file-id': { type: 'string' },
  map: { type: 'string', multiple: true, default: [] as string[] },
  set: { type: 'string', multiple: true, default: [] as string[] },
  labels: { type: 'boolean', default: false },
  'other-providers': { type: 'boolean', default: false },
  'request-id-column': { type: 'string' },
  rejects: { type: 'string' },
  json: { type: 'boolean', default: false },
  streams: { type: 'string', default: '2' },
  window: { type: 'string', default: '2000' },
  'retry-timeout': { type: 'string', default: '60' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/**
 * Reads the arguments behind the script's name; `listen` is the environment's LISTEN. Returns
 * 'help' when that is asked for. Throws a {@link UsageError} that lists every fault.
 */
export function readOptions(args: readonly string[], listen: string | undefined): ImportOptions | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const faults: string[] = [];
  const [file = ''] = positionals;
  if (positionals.length !== 1) faults.push(`one FILE is needed, ${positionals.length} are given`);
  if (file === '-' && values['source-name'] === undefined)
    faults.push('standard input needs --source-name NAME');
  if (values['file-id'] !== undefined && values['source-name'] !== undefined) {
    faults.push('--file-id and --source-name both name the file: give one');
  }
  const fileId = values['file-id'];
  if (fileId !== undefined && !FILE_ID.test(fileId))
    faults.push('--file-id: expected 16 digits from 0–9 and a–f');
  if (values['source-name'] === '') faults.push('--source-name: the name is empty');
  if (values.delimiter !== undefined && !/^[^"\r\n]$/u.test(values.delimiter)) {
    faults.push('--delimiter: expected one character that is no quote and no line end');
  }
  const format = readFormat(values.format, file, faults);
  const map = readMap(values.map, faults);
  const constants = readConstants(values.set, map, faults);
  const options: ImportOptions = {
    file,
    format,
    address: readAddress(values.address, listen, faults),
    delimiter: values.delimiter ?? (format === 'tsv' ? '\t' : ','),
    sourceName: values['source-name'],
    fileId,
    map,
    constants,
    unknownAsLabels: values.labels,
    otherProviders: values['other-providers'],
    requestIdColumn: values['request-id-column'],
    rejectsPath: values.rejects ?? `${file === '-' ? 'stdin' : file}.rejects.ndjson`,
    rejectsIsDefault: values.rejects === undefined,
    json: values.json,
    streams: readNumber('--streams', values.streams, 16, faults),
    windowRows: readNumber('--window', values.window, 100_000, faults),
    retryTimeoutMs: readNumber('--retry-timeout', values['retry-timeout'], 86_400, faults) * 1000,
  };
  if (faults.length > 0) throw new UsageError(faults);
  return options;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError([error instanceof Error ? error.message : String(error)]);
  }
}

function readFormat(format: string | undefined, file: string, faults: string[]): Format {
  const known = format === undefined ? FORMATS[extname(file).toLowerCase()] : FORMATS[`.${format}`];
  if (known) return known;
  if (format !== undefined) faults.push(`--format: ${format} is not csv, tsv or ndjson`);
  else if (file !== '')
    faults.push(`${basename(file)}: the name does not tell the format; give --format csv|tsv|ndjson`);
  return 'csv';
}

/** Turns LISTEN into an address that a client can reach; the unspecified address means this machine. */
function readAddress(address: string | undefined, listen: string | undefined, faults: string[]): string {
  const source = address === undefined ? 'LISTEN' : '--address';
  const text = address ?? (listen || '127.0.0.1:50051');
  const match = /^(\[[0-9a-f:.%]+\]|[^\s:/[\]]*):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) faults.push(`${source}: ${JSON.stringify(text)} is not HOST:PORT`);
  else if (port === 0) faults.push(`${source}: port 0 is no address to call; give --address HOST:PORT`);
  const host = match?.[1] ?? '';
  if (host === '' || host === '0.0.0.0') return `127.0.0.1:${port}`;
  return host === '[::]' ? `[::1]:${port}` : text;
}

function readMap(pairs: readonly string[], faults: string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const [target, column] of readPairs('--map', pairs, faults)) {
    const field = nameOf(target);
    if (map.has(field)) faults.push(`--map: ${field} is given twice`);
    map.set(field, column);
  }
  return map;
}

function readConstants(pairs: readonly string[], map: ReadonlyMap<string, string>, faults: string[]) {
  const constants = readPairs('--set', pairs, faults);
  const seen = new Set<string>();
  for (const [target] of constants) {
    const field = nameOf(target);
    if (seen.has(field)) faults.push(`--set: ${field} is given twice`);
    if (map.has(field)) faults.push(`${field}: both --map and --set give it a value`);
    seen.add(field);
  }
  return constants;
}

function readPairs(flag: string, pairs: readonly string[], faults: string[]): (readonly [Target, string])[] {
  return pairs.flatMap((pair) => {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    const value = pair.slice(at + 1);
    const target = targetOf(name);
    if (at < 1 || value === '')
      faults.push(`${flag}: expected FIELD=${flag === '--map' ? 'COLUMN' : 'VALUE'}, not ${pair}`);
    else if (!target) faults.push(`${flag}: there is no field ${name}; fields are ${FIELD_NAMES.join(', ')}`);
    return target && value !== '' ? [[target, value] as const] : [];
  });
}

function readNumber(flag: string, text: string, max: number, faults: string[]): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max)
    faults.push(`${flag}: expected a whole number from 1 to ${max}, not ${text}`);
  return number;
}
