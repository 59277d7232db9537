/** Makes rows of JSON objects: nested values become columns, and an array of usage becomes several rows. */

import { Unusable, type Cell } from './row.ts';

/** Objects in deeper levels become no columns. */
const DEPTH_MAX = 8;

/** A number as it is written. JavaScript would round it above 2^53. */
interface RawNumber {
  readonly rawJSON: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Names and values of one row. */
export interface JsonRow {
  readonly columns: readonly string[];
  readonly cells: readonly Cell[];
  /** The JSON of the row. Undefined: it is the whole text. */
  readonly raw?: string;
}

// The types of ES2024 know neither the third argument of a reviver nor raw JSON.
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON: (text: string) => RawNumber;
  isRawJSON: (value: unknown) => value is RawNumber;
};
const revive = ((_key: string, value: unknown, context: { source: string }) => {
  if (typeof value === 'number') return rawJSON(context.source);
  return Array.isArray(value) ? (quantitiesOf(value) ?? attributesOf(value)) : value;
}) as (key: string, value: unknown) => unknown;

/**
 * The rows of one JSON text. Numbers keep their digits. Mostly it is one row. If the object has no usage of its own
 * and one array of objects that have, each of these is a row, and the values around the array are columns
 * of each: the buckets of a usage report with their start time, or the spans of OTLP. The same if the object has usage but
 * no model, and the objects of the array say their model or time: then it is their sum. Returns the reason
 * if the text is no object.
 */
export function jsonRows(text: string): readonly JsonRow[] | string {
  let value: unknown;
  try {
    value = JSON.parse(text, revive);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
  if (!isObject(value)) return 'not a JSON object';
  const rows = unfold(value, new Map());
  return rows.map(({ cells, raw }) => ({
    columns: [...cells.keys()],
    cells: [...cells.values()],
    ...(raw === value ? {} : { raw: JSON.stringify(raw) }),
  }));
}

/** The values of a JSON object that stands in a cell, as columns below the name of its column. Empty: it is none. */
export function nestedCells(column: string, text: string): ReadonlyMap<string, Cell> {
  const cells = new Map<string, Cell>();
  try {
    const value: unknown = JSON.parse(text, revive);
    if (isObject(value)) flatten(value, `${column}.`, 2, cells, new Map());
  } catch {
    // A text that only begins like JSON.
  }
  return cells;
}

interface Unfolded {
  readonly cells: ReadonlyMap<string, Cell>;
  readonly raw: JsonObject;
}

/** `around`: the cells of the objects around this one. */
function unfold(object: JsonObject, around: ReadonlyMap<string, Cell>): Unfolded[] {
  const own = new Map<string, Cell>();
  const arrays = new Map<string, readonly unknown[]>();
  flatten(object, '', 1, own, arrays);
  const found = usageArray(own, arrays);
  if (found === undefined) return [{ cells: new Map([...without(around, own), ...own]), raw: object }];
  own.delete(found);
  // What the object says in tokens is the sum of what the array says.
  const outer = new Map([...own].filter(([name, cell]) => !isUsage(name, cell)));
  const inherited = new Map([...without(around, outer), ...outer]);
  return (arrays.get(found) ?? []).filter(isObject).flatMap((item) => unfold(item, inherited));
}

function without(cells: ReadonlyMap<string, Cell>, names: ReadonlyMap<string, Cell>): [string, Cell][] {
  return [...cells].filter(([name]) => !names.has(name));
}

/** The name of the array whose objects are the rows. Undefined: the object itself is the row. */
function usageArray(
  own: ReadonlyMap<string, Cell>,
  arrays: ReadonlyMap<string, readonly unknown[]>,
): string | undefined {
  const names = [...own];
  const hasUsage = names.some(([name, cell]) => isUsage(name, cell));
  const hasModel = names.some(([name, cell]) => isModel(name, cell));
  if (hasUsage && hasModel) return undefined;
  const found = [...arrays].filter(([name, items]) =>
    items.length === 0
      ? !hasUsage && /^(?:results|data|items|rows|records|entries|buckets|spans|scopeSpans)$/.test(name)
      : items.every(isObject) && items.some((item) => holdsUsage(item, hasUsage)),
  );
  return found.length === 1 ? found[0]?.[0] : undefined;
}

/**
 * Whether an object has usage, itself or in an array. With `andKind` it must also say of which model or of what
 * time, as the parts of a sum do; the kinds of tokens of one call say neither.
 */
function holdsUsage(object: JsonObject, andKind: boolean): boolean {
  const own = new Map<string, Cell>();
  const arrays = new Map<string, readonly unknown[]>();
  flatten(object, '', 1, own, arrays);
  const names = [...own];
  const isPart =
    !andKind || names.some(([name, cell]) => /model|date|time/i.test(name) && cell !== undefined);
  return (
    (isPart && names.some(([name, cell]) => isUsage(name, cell))) || usageArray(own, arrays) !== undefined
  );
}

function isUsage(name: string, cell: Cell): boolean {
  return /token|usage|^(?:characters|seconds)$/i.test(name) && typeof cell === 'string' && /^\d/.test(cell);
}

function isModel(name: string, cell: Cell): boolean {
  return /model/i.test(name) && typeof cell === 'string' && cell !== '';
}

function flatten(
  object: JsonObject,
  prefix: string,
  depth: number,
  cells: Map<string, Cell>,
  arrays: Map<string, readonly unknown[]>,
): void {
  for (const [key, value] of Object.entries(object)) {
    const name = prefix + key;
    if (isObject(value) && depth < DEPTH_MAX) flatten(value, `${name}.`, depth + 1, cells, arrays);
    else cells.set(name, toCell(value));
    if (Array.isArray(value)) arrays.set(name, value);
  }
}

/** The quantities of a charge in proto3 JSON as an object: `[{"kind":"A","amount":"1"}]` → `{"A":"1"}`. */
function quantitiesOf(array: readonly unknown[]): unknown {
  const entries = array.map((item) => {
    const { kind, amount } = isObject(item) ? item : {};
    return typeof kind === 'string' && kind.startsWith('USAGE_KIND_') && amount !== undefined
      ? ([kind, amount] as const)
      : undefined;
  });
  const isComplete = entries.length > 0 && entries.every((entry) => entry !== undefined);
  return isComplete ? Object.fromEntries(entries) : undefined;
}

/** The attributes of OTLP as an object, `[{"key":"a","value":{"intValue":"1"}}]` → `{"a":"1"}`. */
function attributesOf(array: readonly unknown[]): unknown {
  const entries = array.map((item) => {
    const { key, value } = isObject(item) ? item : {};
    const [[kind, content] = ['', undefined], ...others] = isObject(value) ? Object.entries(value) : [];
    return typeof key === 'string' && kind.endsWith('Value') && others.length === 0
      ? ([key, content] as const)
      : undefined;
  });
  const isComplete = entries.length > 0 && entries.every((entry) => entry !== undefined);
  return isComplete ? Object.fromEntries(entries) : array;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value);
}

function toCell(value: unknown): Cell {
  if (value === null) return undefined;
  if (isRawJSON(value)) return value.rawJSON;
  if (typeof value === 'object') return new Unusable(Array.isArray(value) ? 'an array' : 'an object');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
