/** Decides which column fills which field. */

import { ALIASES, BESIDE_INPUT, simplify } from './aliases.ts';
import { FIELD_NAMES, nameOf, targetOf, type Target } from './fields.ts';

/** What the flags say about columns. */
export interface ColumnRules {
  /** `--map`: field → column; fields are canonical names of {@link nameOf}. */
  readonly map: ReadonlyMap<string, string>;
  /** `--set`: fields that have a constant and are therefore not guessed. */
  readonly constants: ReadonlySet<string>;
  /** `--request-id-column`. */
  readonly requestIdColumn: string | undefined;
  /** `--labels`: columns without a field become labels. */
  readonly unknownAsLabels: boolean;
}

/** What becomes of each column of a file (or, in NDJSON, of one object). */
export interface ColumnPlan {
  /** Per column, the fields that it fills; empty: none. */
  readonly targets: readonly (readonly Target[])[];
  /** Names of the fields that some column fills. */
  readonly fields: ReadonlySet<string>;
  /** Columns that no field was found for, and that are not recorded. */
  readonly unknown: readonly string[];
  /** Columns called like a field that the server sets (`id`, `create_time`, `update_time`): not recorded. */
  readonly serverSet: readonly string[];
  /** Columns that the flags name and that are not there. */
  readonly missing: readonly string[];
}

const SERVER_SET = new Set(['id', 'createtime', 'updatetime']);

/**
 * Plans the columns: `--map` first, then columns called like a field of the contract (case and
 * underscores aside), then the common names of {@link ALIASES} in their order. A field is filled by
 * one column; what is left over is a label (`--labels`) or unknown, and never silently used.
 */
export function planColumns(columns: readonly string[], rules: ColumnRules): ColumnPlan {
  const targets: Target[][] = columns.map(() => []);
  const fields = new Set<string>();
  const missing: string[] = [];
  const assign = (index: number, target: Target): void => {
    targets[index]?.push(target);
    fields.add(nameOf(target));
  };
  const byFlag = (column: string, target: Target | undefined): void => {
    const index = columns.indexOf(column);
    if (index < 0) missing.push(column);
    else if (target) assign(index, target);
  };
  for (const [field, column] of rules.map) byFlag(column, targetOf(field));
  if (rules.requestIdColumn !== undefined) byFlag(rules.requestIdColumn, { kind: 'request_id' });

  const free = new Map<string, number>();
  columns.forEach((column, index) => {
    const simple = simplify(column);
    if (targets[index]?.length === 0 && simple !== '' && !free.has(simple)) free.set(simple, index);
  });
  for (const field of guessedFields()) {
    if (fields.has(field) || rules.constants.has(field)) continue;
    const name = namesOf(field).find((candidate) => free.has(candidate));
    const index = name === undefined ? undefined : free.get(name);
    const target = targetOf(field);
    if (index === undefined || targets[index]?.length !== 0 || !target) continue;
    assign(index, target);
  }
  return { targets, fields, missing, ...sortOut(columns, targets, rules, assign) };
}

/** A caution about an unknown column that is easily taken for something else; undefined: none. */
export function cautionAbout(column: string): string | undefined {
  const simple = simplify(column);
  if (BESIDE_INPUT.has(simple)) {
    return (
      `column ${column}: providers that have it count it beside the input tokens, while prompt_tokens ` +
      'includes it; add the two up in the file before you map them'
    );
  }
  if (simple === 'requestid') {
    return `column ${column} looks like a key of its own: --request-id-column ${column} makes it the request id`;
  }
  return undefined;
}

function guessedFields(): string[] {
  return FIELD_NAMES.filter((name) => name !== 'label.KEY');
}

function namesOf(field: string): string[] {
  const plain = field.replace(/^token_details\./, '');
  return [...new Set([simplify(plain), simplify(field)]), ...(ALIASES[field] ?? [])];
}

function sortOut(
  columns: readonly string[],
  targets: readonly (readonly Target[])[],
  rules: ColumnRules,
  assign: (index: number, target: Target) => void,
): { unknown: string[]; serverSet: string[] } {
  const unknown: string[] = [];
  const serverSet: string[] = [];
  columns.forEach((column, index) => {
    if (targets[index]?.length !== 0) return;
    const label = /^labels?\.(.+)$/is.exec(column)?.[1];
    if (label !== undefined && !rules.constants.has(`label.${label}`))
      assign(index, { kind: 'label', key: label });
    else if (SERVER_SET.has(simplify(column))) serverSet.push(column);
    else if (rules.unknownAsLabels && column !== '') assign(index, { kind: 'label', key: column });
    else unknown.push(column === '' ? `(column ${index + 1}, without a name)` : column);
  });
  return { unknown, serverSet };
}
