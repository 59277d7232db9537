/** The product's own CSV of prices, for negotiated ones. docs/prices.md describes it. */

import { createHash } from 'node:crypto';
import { parse, type CsvError, type Info } from 'csv-parse/sync';
import type { Price } from '../../../../generated/charge/v1/price_service.ts';
import { UsageError } from '../../command.ts';
import { quote } from '../../import/values.ts';
import { columnOf } from '../kinds.ts';
import { NO_NOTES, type FilePrice, type PriceFile, type Rounded } from '../price-file.ts';
import { keyText } from '../price-text.ts';
import { timeText } from '../../time.ts';
import { COLUMNS, readRow, type OwnRow } from './rows.ts';

/** Reads a CSV file. Throws a {@link UsageError} that names every fault with its line. */
export function convertCsv(text: string, name: string): PriceFile {
  const faults: string[] = [];
  const rounded: Rounded[] = [];
  const rows = readRecords(text, faults).map(({ line, cells }) => readRow(line, cells, faults, rounded));
  const sourcePrefix = `csv:${name}#`;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const prices = faults.length > 0 ? [] : groupRows(rows, `${sourcePrefix}${hash}`, faults);
  if (faults.length > 0) throw new UsageError(faults);
  return { format: 'csv', sourcePrefix, entries: rows.length, prices, notes: { ...NO_NOTES, rounded } };
}

interface CsvRecord {
  readonly line: number;
  readonly cells: ReadonlyMap<string, string>;
}

function readRecords(text: string, faults: string[]): CsvRecord[] {
  const [firstLine = ''] = text.split('\n', 1);
  // Spreadsheets write semicolons if the decimals of their language have commas.
  const delimiter = [',', ';', '\t'].find((mark) => firstLine.includes(mark)) ?? ',';
  let records: { record: string[]; info: Info }[];
  try {
    const options = { bom: true, delimiter, info: true, relax_column_count: true, skip_empty_lines: true };
    records = parse(text, options) as unknown as typeof records;
  } catch (error) {
    throw new UsageError([(error as CsvError).message]);
  }
  const [header, ...rows] = records;
  const columns = header?.record.map((column) => column.trim().toLowerCase()) ?? [];
  faults.push(...faultsOfHeader(columns));
  return rows.flatMap(({ record, info: { lines: line } }): CsvRecord[] => {
    if (record.every((cell) => cell.trim() === '')) return [];
    if (record.length === columns.length)
      return [{ line, cells: new Map(columns.map((column, index) => [column, record[index] ?? ''])) }];
    faults.push(`line ${line}: the row has ${record.length} cells, the header has ${columns.length}`);
    return [];
  });
}

function faultsOfHeader(columns: readonly string[]): string[] {
  const unknown = columns.filter((column) => !COLUMNS.includes(column));
  const repeated = columns.filter((column, index) => columns.indexOf(column) !== index);
  const missing = ['provider', 'model'].filter((column) => !columns.includes(column));
  return [
    ...unknown.map((column, index) => {
      const known = index === 0 ? `; columns are ${COLUMNS.join(', ')}` : '';
      return `line 1: there is no column ${quote(column)}${known}`;
    }),
    ...repeated.map((column) => `line 1: the column ${column} is there twice`),
    ...missing.map((column) => `line 1: the column ${column} is missing`),
  ];
}

/** Puts a base row and the rows of its tiers together, wherever they stand. */
function groupRows(rows: readonly OwnRow[], source: string, faults: string[]): FilePrice[] {
  const groups = new Map<string, OwnRow[]>();
  for (const row of rows) {
    const text = `${keyText(row.key)} ${timeText(row.effectiveTime)}`;
    const group = groups.get(text) ?? [];
    const same = group.find(({ abovePromptTokens }) => abovePromptTokens === row.abovePromptTokens);
    if (same)
      faults.push(`line ${row.line}: repeats the key, the effective time and the tier of line ${same.line}`);
    groups.set(text, [...group, row]);
  }
  return [...groups.values()].flatMap((group) => {
    const base = group.find(({ abovePromptTokens }) => abovePromptTokens === 0n);
    if (base)
      return [
        toPrice(
          base,
          group.filter((row) => row !== base),
          source,
          faults,
        ),
      ];
    faults.push(`line ${group[0]?.line}: there is no row of this key and time without above_prompt_tokens`);
    return [];
  });
}

function toPrice(base: OwnRow, tiers: readonly OwnRow[], source: string, faults: string[]): FilePrice {
  for (const tier of tiers) {
    const missing = base.rates.filter(({ kind }) => !tier.rates.some((rate) => rate.kind === kind));
    if (missing.length > 0)
      faults.push(
        `line ${tier.line}: the tier has no rate for ${missing.map(({ kind }) => columnOf(kind)).join(', ')}, and line ${base.line} has one`,
      );
    if (tier.currencyCode !== '' && tier.currencyCode !== base.currencyCode)
      faults.push(`line ${tier.line}: currency_code: line ${base.line} has ${base.currencyCode}`);
    if (base.basis !== 'rate_card')
      faults.push(`line ${tier.line}: line ${base.line} has no rates for tiers`);
  }
  const price: Price = {
    version: 0n,
    key: base.key,
    effectiveTime: base.effectiveTime,
    basis: basisOf(base, tiers),
    source: `${source} line ${base.line}`,
    note: base.note,
    createTime: undefined,
  };
  return { price, origin: `line ${base.line}` };
}

function basisOf(
  { basis, aliasModel, currencyCode, rates }: OwnRow,
  tiers: readonly OwnRow[],
): Price['basis'] {
  if (basis === 'alias') return { $case: 'alias', value: { model: aliasModel } };
  if (basis === 'reported') return { $case: 'reported', value: {} };
  if (basis === 'withdrawn') return { $case: 'withdrawn', value: {} };
  const value = {
    currencyCode,
    rates: [...rates],
    tiers: tiers.map((tier) => ({ abovePromptTokens: tier.abovePromptTokens, rates: [...tier.rates] })),
  };
  return { $case: 'rateCard', value };
}
