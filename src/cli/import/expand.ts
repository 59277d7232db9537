/** Makes one row per event out of JSON in which several events stand in one object. */

import { Readable } from 'node:stream';
import { readNdjson } from './read-ndjson.ts';
import { Unusable, type Row } from './row.ts';
import { cellsOf } from './columns.ts';
import type { Layout } from './layouts/layout.ts';

/** Keys below which reports and OTLP keep lists of events. */
const LISTS = new Set([
  'data',
  'results',
  'resourceSpans',
  'scopeSpans',
  'spans',
  'daily',
  'weekly',
  'monthly',
  'sessions',
  'blocks',
  'modelBreakdowns',
]);
/** Lists of `{key, value: {stringValue}}`, as OTLP writes attributes. */
const ATTRIBUTES = 'attributes';
/** Sums over the whole list: they are no counts of one event. */
const SUMS = /tokens|cost|^totals$/i;

type Json = Readonly<Record<string, unknown>>;

/** Yields every row; a row with one of {@link LISTS} becomes the events in it, each with the values around it. */
export async function* expandRows(rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  for await (const row of rows) {
    if (row.fault === undefined && row.cells.some((cell, index) => isList(cell, row.columns[index]))) {
      yield* eventsIn(row);
    } else yield row;
  }
}

function isList(cell: unknown, column = ''): boolean {
  if (!(cell instanceof Unusable)) return false;
  const key = column.slice(column.lastIndexOf('.') + 1);
  return key === ATTRIBUTES || LISTS.has(key);
}

async function* eventsIn(row: Row): AsyncGenerator<Row> {
  const texts = eventsOf(JSON.parse(row.raw) as Json).map((event) => JSON.stringify(event));
  const lines = texts.map((text) => ({ number: row.line, text, endOffset: row.endOffset }));
  yield* readNdjson(Readable.from(lines));
}

function eventsOf(object: Json): Json[] {
  const plain = withAttributes(object);
  const key = Object.keys(plain).find((name) => LISTS.has(name) && isListOfObjects(plain[name]));
  if (key === undefined) return [plain];
  const around = Object.fromEntries(
    Object.entries(plain).filter(([name]) => name !== key && !SUMS.test(name)),
  );
  return (plain[key] as Json[]).flatMap((part) => eventsOf({ ...around, ...part }));
}

function isListOfObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every((part) => typeof part === 'object' && part !== null);
}

/** The object with its OTLP attributes as plain keys. */
function withAttributes(object: Json): Json {
  const list = object[ATTRIBUTES];
  if (!Array.isArray(list)) return object;
  const entries = (list as { key?: string; value?: object }[]).map(({ key = '', value = {} }) => [
    key,
    // One of stringValue, intValue, doubleValue, boolValue.
    Object.values(value)[0] as unknown,
  ]);
  return { ...object, [ATTRIBUTES]: Object.fromEntries(entries) as Json };
}

/** Gives later rows what a layout carries over from earlier ones, such as the model of the turn. */
export async function* carryValues(
  rows: AsyncIterable<Row>,
  layout: Layout | undefined,
): AsyncGenerator<Row> {
  const { carried } = layout ?? {};
  if (!carried) {
    yield* rows;
    return;
  }
  const values = new Map<string, string>();
  for await (const row of rows) {
    const cells = cellsOf(row.columns)(row.cells);
    for (const { type, column } of carried)
      if (cells('type') === type && cells(column) !== '') values.set(`${type}.${column}`, cells(column));
    yield { ...row, columns: [...row.columns, ...values.keys()], cells: [...row.cells, ...values.values()] };
  }
}
