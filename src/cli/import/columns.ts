/** Decides which column fills which field. */

import { ALIASES, NOT_IN_INPUT, simplify } from './aliases.ts';
import { FIELD_NAMES, fieldNamed, labelField, REQUEST_ID, type Field } from './fields.ts';
import type { ImportOptions } from './options.ts';

/** What the flags say about columns. */
export type ColumnRules = Pick<ImportOptions, 'map' | 'constants' | 'requestIdColumn' | 'labels'>;

/** What becomes of each column of a file (or, in NDJSON, of one object). */
export interface ColumnPlan {
  /** Per column, the fields that it fills; empty: none. */
  readonly targets: readonly (readonly Field[])[];
  /** Names of the fields that some column fills. */
  readonly fields: ReadonlySet<string>;
  /** Columns that fill no field and are not recorded. */
  readonly unknown: readonly string[];
  /** Columns called like a field that the server sets (`id`, `create_time`, `update_time`): not recorded. */
  readonly serverSet: readonly string[];
  /** Columns that the flags name and that are not there. */
  readonly missing: readonly string[];
}

const SERVER_SET = new Set(['id', 'createtime', 'updatetime']);

/**
 * Plans the columns: `--map` first, then columns called like a field of the contract (case and
 * underscores do not matter), then the common names of {@link ALIASES} in their order, then columns called
 * `label.KEY`. Each field and each label is filled by one column. A column that is left over becomes a label
 * (`--labels`) or is reported.
 */
export function planColumns(columns: readonly string[], rules: ColumnRules): ColumnPlan {
  const targets: Field[][] = columns.map(() => []);
  const fields = new Set<string>();
  const missing: string[] = [];
  const constants = new Set(rules.constants.map(([{ name }]) => name));
  const isFilled = (field: string): boolean => fields.has(field) || constants.has(field);
  const assign = (index: number, field: Field | undefined): void => {
    if (!field) return;
    targets[index]?.push(field);
    fields.add(field.name);
  };
  const assignNamed = (column: string, field: Field | undefined): void => {
    const index = columns.indexOf(column);
    if (index < 0) missing.push(column);
    else assign(index, field);
  };
  for (const [field, column] of rules.map) assignNamed(column, field);
  if (rules.requestIdColumn !== undefined) assignNamed(rules.requestIdColumn, REQUEST_ID);

  const free = new Map<string, number>();
  columns.forEach((column, index) => {
    const simple = simplify(column);
    if (targets[index]?.length === 0 && simple !== '' && !free.has(simple)) free.set(simple, index);
  });
  for (const field of FIELD_NAMES) {
    if (isFilled(field)) continue;
    const index = namesOf(field)
      .map((name) => free.get(name))
      .find((found) => found !== undefined);
    if (index !== undefined && targets[index]?.length === 0) assign(index, fieldNamed(field));
  }

  columns.forEach((column, index) => {
    const key = /^labels?\.(.+)$/is.exec(column)?.[1];
    if (targets[index]?.length === 0 && key !== undefined && !isFilled(`label.${key}`))
      assign(index, labelField(key));
  });

  const unknown: string[] = [];
  const serverSet: string[] = [];
  columns.forEach((column, index) => {
    if (targets[index]?.length !== 0) return;
    if (SERVER_SET.has(simplify(column))) serverSet.push(column);
    else if (rules.labels && column !== '' && !isFilled(`label.${column}`)) assign(index, labelField(column));
    else unknown.push(column === '' ? `(column ${index + 1}, without a name)` : column);
  });
  return { targets, fields, missing, unknown, serverSet };
}

/** A warning about an unknown column that is easily taken for something else; undefined: none. */
export function cautionAbout(column: string): string | undefined {
  const simple = simplify(column);
  if (NOT_IN_INPUT.has(simple)) {
    return (
      `column ${column}: providers that have it do not include it in the input tokens, but prompt_tokens ` +
      'includes it; add the two numbers up in the file before you map them'
    );
  }
  if (simple === 'requestid') {
    return `column ${column}: if it is unique for each row, --request-id-column ${column} makes it the request id`;
  }
  return undefined;
}

function namesOf(field: string): string[] {
  const plain = field.replace(/^token_details\./, '');
  return [simplify(plain), simplify(field), ...(ALIASES[field] ?? [])];
}
