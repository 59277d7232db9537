/** The rows of a file, whatever its format. */

/** Formats by name, as `--format` takes them. */
export type Format = 'csv' | 'tsv' | 'ndjson';

/** A cell that holds no single value, such as a JSON array. */
export class Unusable {
  /** What it is, for messages: `an array`. */
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}

/** A cell: its text (numbers in the digits of the file), or undefined if NDJSON has null. */
export type Cell = string | undefined | Unusable;

/** One row: its cells, or the fault because of which they cannot be read. */
export interface Row {
  /** The line on which the row begins, from 1, as an editor shows it. The header of a CSV file counts. */
  readonly line: number;
  readonly raw: string;
  /** Bytes of the file up to the end of this row. */
  readonly endOffset: number;
  /** Names of the columns; the same array for every row of a CSV file. */
  readonly columns: readonly string[];
  readonly cells: readonly Cell[];
  readonly fault?: string;
}

/** The header of a file and its rows. */
export interface RowSource {
  /** Columns of the header; empty for NDJSON. */
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<Row>;
  /** What was noticed on the way, for the plan: the separator, the encoding. */
  readonly notes?: readonly string[];
}
