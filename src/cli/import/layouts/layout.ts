/**
 * What an entry of the table of layouts says. docs/import.md tells how to add one. Column names are compared without
 * case and marks, and a nested value of JSON is a column like `usage.input_tokens`. Attributes of a span are found
 * with and without `attributes.` before them.
 */

import type { Charge } from '../../../../generated/charge/v1/charge.ts';
import type { FieldViolation } from '../../../errors/failure.ts';
import type { Row } from '../row.ts';
import type { Place } from '../settle-parts.ts';

/** The text of a cell of the row, empty if there is none. */
export type Cells = (column: string) => string;

/**
 * What texts of a column mean, by the text in lower case: a text that the field reads, or nothing (''). `*` is for all
 * other texts; without it they are read as they are.
 */
export type Meanings = Readonly<Record<string, string>>;

/** Reasons for which Anthropic's models end an answer. Another one does not say that the answer is complete. */
export const STOP_REASONS: Meanings = {
  end_turn: 'succeeded',
  tool_use: 'succeeded',
  stop_sequence: 'succeeded',
  '*': '',
};

/** Anthropic writes this for models whose place cannot be chosen. */
export const INFERENCE_GEO: Meanings = { not_available: '' };

/** A row that was read as it is, or what is wrong with it. */
export type ExactRow =
  | { readonly requestId: string; readonly charge: Charge }
  | { readonly violations: readonly FieldViolation[] };

/** What the importer knows about one kind of file. */
export interface Layout {
  /** As the plan shows it. */
  readonly name: string;
  /** Columns by which it is recognised. All must be there; `a | b` is one of the two. */
  readonly has: readonly string[];
  /** Whether the names in `has` count only as they are spelled. */
  readonly hasExactly?: boolean;
  /** Per field the columns that fill it, best first: `a | b`. `a + b` adds up; `b` may be missing or empty. */
  readonly fields: Readonly<Record<string, string>>;
  /** For fields whose columns say it in words of their own. A choice that means nothing gives way to the next one. */
  readonly meanings?: Readonly<Record<string, Meanings>>;
  /** Values for what no column fills, as `--set` takes them. */
  readonly set?: Readonly<Record<string, string>>;
  /** Whether cached tokens are counted in the prompt, and reasoning in the completion. */
  readonly cache?: Place;
  readonly reasoning?: Place;
  /** Columns that together are the id of one event, or of one bucket of a report. */
  readonly id?: readonly string[];
  /** An event may stand on several lines; this one counts. */
  readonly repeated?: 'first' | 'last';
  /** Whether a row is usage. Others are left out. Absent: every row is. */
  readonly isUsage?: (cells: Cells) => boolean;
  /** Reads a row of the service's own files, to which none of the other rules applies but `isUsage`. */
  readonly exact?: (row: Row) => ExactRow;
  /** Columns that lines of a `type` give to all later lines, under the name `TYPE.COLUMN`. */
  readonly carried?: readonly { readonly type: string; readonly column: string }[];
}
