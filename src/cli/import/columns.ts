/** Decides which columns fill which field. */

import { ALIASES, simplify } from './aliases.ts';
import { FIELD_NAMES, fieldNamed, labelField, layoutField, type Field } from './fields.ts';
import type { Cells, Layout, Meanings } from './layouts/layout.ts';
import type { ImportOptions } from './options.ts';
import type { Cell } from './row.ts';
import type { Places } from './settle-parts.ts';

/** What flags, layout and the first rows say about columns. */
export interface ColumnRules extends Pick<ImportOptions, 'map' | 'labels'> {
  readonly layout?: Layout | undefined;
  /** Columns that together are the request id. Empty: the content of the row is. */
  readonly idColumns: readonly string[];
  /** Fields that no column is guessed for, because its values do not fit. */
  readonly notGuessed?: ReadonlySet<string>;
}

/** Indexes of columns that are added up, or of the only one. */
type Sum = readonly number[];

/** A field and the columns that fill it: the first of `choices` that has a value. */
export interface Assignment {
  readonly field: Field;
  readonly choices: readonly Sum[];
  /** See {@link Layout.meanings}. */
  readonly meanings?: Meanings | undefined;
}

/** What becomes of each column of a file (or, in NDJSON, of one object). */
export interface ColumnPlan {
  readonly assignments: readonly Assignment[];
  /** Per column of the request id, its places. */
  readonly id: readonly (readonly number[])[];
  /** Names of the fields that some column fills. */
  readonly fields: ReadonlySet<string>;
  /** Where cached and reasoning tokens are, as far as flags, layout and names of columns say it. */
  readonly places: Places;
  /** Columns that fill no field and are not recorded. */
  readonly unknown: readonly string[];
  /** Columns called like a field that the server sets (`id`, `create_time`, `update_time`): not recorded. */
  readonly serverSet: readonly string[];
  /** Columns that the flags name and that are not there. */
  readonly missing: readonly string[];
}

const SERVER_SET = new Set(['id', 'createtime', 'updatetime']);
/** Exporters put the attributes of a span at the top or below one of these. */
const ATTRIBUTE_PREFIXES = ['', 'attributes', 'spanattributes'];

/** Finds columns by their names, without regard to case and marks. */
class Finder {
  readonly #columns: readonly string[];
  readonly #bySimple = new Map<string, number>();

  constructor(columns: readonly string[]) {
    this.#columns = columns;
    columns.forEach((column, index) => {
      const simple = simplify(column);
      if (simple !== '' && !this.#bySimple.has(simple)) this.#bySimple.set(simple, index);
    });
  }

  /** Undefined: there is no such column. */
  find(column: string): number | undefined {
    const exact = this.#columns.indexOf(column);
    if (exact >= 0) return exact;
    const simple = simplify(column);
    return ATTRIBUTE_PREFIXES.map((prefix) => this.#bySimple.get(prefix + simple)).find(
      (index) => index !== undefined,
    );
  }

  /** The choices of `a + b | c`, as far as they are there. */
  choices(text: string): Sum[] {
    return text.split(' | ').flatMap((choice) => {
      const [first, ...others] = choice.split(' + ').map((column) => this.find(column));
      return first === undefined ? [] : [[first, ...others.filter((index) => index !== undefined)]];
    });
  }
}

/** The layout of a file with these columns; undefined: it is not known. */
export function layoutOf(columns: readonly string[], layouts: readonly Layout[]): Layout | undefined {
  const finder = new Finder(columns);
  return layouts.find(({ has, hasExactly }) =>
    has.every((names) =>
      hasExactly
        ? names.split(' | ').some((name) => columns.includes(name))
        : finder.choices(names).length > 0,
    ),
  );
}

/** Access to the cells of rows with these columns by name. */
export function cellsOf(columns: readonly string[]): (cells: readonly Cell[]) => Cells {
  const finder = new Finder(columns);
  return (cells) => (column) => {
    const index = finder.find(column);
    const cell = index === undefined ? undefined : cells[index];
    return typeof cell === 'string' ? cell.trim() : '';
  };
}

/**
 * Plans the columns: `--map` first (`--map FIELD=` says that no column fills it), then the layout, then columns called like a field of the contract (case
 * and underscores do not matter), then the common names of {@link ALIASES} in their order, then columns called
 * `label.KEY`. A guessed column fills one field. A column that is left over becomes a label (`--labels`) or
 * is reported.
 */
export function planColumns(columns: readonly string[], rules: ColumnRules): ColumnPlan {
  const { layout } = rules;
  const finder = new Finder(columns);
  const assignments: Assignment[] = [];
  const fields = new Set<string>();
  const used = new Set<number>();
  const missing: string[] = [];
  const assign = (field: Field, choices: readonly Sum[], meanings?: Meanings): void => {
    if (choices.length === 0) return;
    assignments.push({ field, choices, meanings });
    fields.add(field.name);
    for (const index of choices.flat()) used.add(index);
  };
  for (const [field, text] of rules.map) assign(field, mapped(text, columns, missing));
  const mappedNames = new Set(rules.map.map(([{ name }]) => name));
  for (const [name, text] of Object.entries(layout?.fields ?? {}))
    if (!mappedNames.has(name.replace(/ in .*/, '')))
      assign(layoutField(name), finder.choices(text), layout?.meanings?.[name]);
  const id = rules.idColumns.map((column) => finder.choices(column).flat());
  rules.idColumns.forEach((column, index) => {
    if (id[index]?.length === 0 && !layout?.id?.includes(column)) missing.push(column);
  });

  for (const name of FIELD_NAMES) {
    if (fields.has(name) || mappedNames.has(name) || rules.notGuessed?.has(name) || hasOffset(fields, name))
      continue;
    const index = namesOf(name, layout)
      .map((alias) => columns.findIndex((column, at) => !used.has(at) && simplify(column) === alias))
      .find((found) => found >= 0);
    const field = fieldNamed(name);
    if (index !== undefined && field) assign(field, [[index]]);
  }
  for (const index of id.flat()) used.add(index);
  const rest = planLabels(columns, rules, used, fields, assign, missing);
  return { assignments, id, fields, places: placesOf(columns, assignments, rules), missing, ...rest };
}

/** The columns of `A+B` in a flag, unless one column is called so. */
export function namedColumns(text: string, columns: readonly string[]): string[] {
  return columns.includes(text) ? [text] : text.split('+').map((part) => part.trim());
}

/** What a text means in a column of a layout; empty: nothing. */
export function meaningOf(text: string, meanings: Meanings | undefined): string {
  return meanings?.[text.trim().toLowerCase()] ?? meanings?.['*'] ?? text;
}

/** The columns of `--map FIELD=A+B`. */
function mapped(text: string, columns: readonly string[], missing: string[]): Sum[] {
  if (text === '') return [];
  const parts = namedColumns(text, columns);
  const indexes = parts.map((part) => columns.indexOf(part));
  missing.push(...parts.filter((_, index) => (indexes[index] ?? -1) < 0));
  const [first = -1, ...others] = indexes;
  return first < 0 ? [] : [[first, ...others.filter((index) => index >= 0)]];
}

function planLabels(
  columns: readonly string[],
  rules: ColumnRules,
  used: ReadonlySet<number>,
  fields: ReadonlySet<string>,
  assign: (field: Field, choices: readonly Sum[]) => void,
  missing: string[],
): Pick<ColumnPlan, 'unknown' | 'serverSet'> {
  const { labels } = rules;
  const addLabel = (key: string, index: number): boolean => {
    if (fields.has(`label.${key}`)) return false;
    assign(labelField(key), [[index]]);
    return true;
  };
  if (Array.isArray(labels))
    for (const column of labels as readonly string[]) {
      const index = columns.indexOf(column);
      if (index < 0) missing.push(column);
      else addLabel(column, index);
    }
  columns.forEach((column, index) => {
    const key = /^labels?\.(.+)$/is.exec(column)?.[1];
    if (!used.has(index) && key !== undefined) addLabel(key, index);
  });
  const unknown: string[] = [];
  const serverSet: string[] = [];
  columns.forEach((column, index) => {
    if (used.has(index)) return;
    if (SERVER_SET.has(simplify(column))) serverSet.push(column);
    else if (labels === true && column !== '' && addLabel(column, index)) return;
    else if (column !== '') unknown.push(column);
  });
  return { unknown, serverSet };
}

/**
 * A count that a flag names is meant as it is. `prompt_tokens` and `completion_tokens` are names of
 * OpenAI, whose counts include cached and reasoning tokens.
 */
function placesOf(
  columns: readonly string[],
  assignments: readonly Assignment[],
  { map, layout }: ColumnRules,
): Places {
  const isInside = (name: string): boolean => {
    if (map.some(([field]) => field.name === name)) return true;
    const index = assignments.find(({ field }) => field.name === name)?.choices[0]?.[0];
    return index !== undefined && simplify(columns[index] ?? '') === simplify(name);
  };
  return {
    cache: layout?.cache ?? (isInside('prompt_tokens') ? 'inside' : undefined),
    reasoning: layout?.reasoning ?? (isInside('completion_tokens') ? 'inside' : undefined),
  };
}

/** Simplified names of the columns that fill a field. In a known layout, other names of counts are not guessed. */
function namesOf(name: string, layout: Layout | undefined): string[] {
  const field = fieldNamed(name);
  const plain = name.replace(/^token_details\./, '');
  const exact = [simplify(plain), simplify(name)];
  return layout && field?.isCount ? exact : [...exact, ...(ALIASES[name] ?? [])];
}

function hasOffset(fields: ReadonlySet<string>, name: string): boolean {
  return name === 'usage_time' && [...fields].some((field) => field.startsWith('offset in '));
}
