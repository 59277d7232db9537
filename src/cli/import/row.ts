/** The rows of a file, whatever its format. */

/** Formats by name, as `--format` takes them. `ndjson` and `json` are read alike. */
export type Format = 'csv' | 'tsv' | 'ndjson' | 'json';

/** What is known about a file before it is read. */
export interface FileHints {
  /** By the name of the file, or by a flag. Undefined: the content tells. */
  readonly format?: Format | undefined;
  /** Undefined: the content tells. */
  readonly delimiter?: string | undefined;
}

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
  /** Names of the columns; mostly the same array for every row of a CSV file. */
  readonly columns: readonly string[];
  readonly cells: readonly Cell[];
  readonly fault?: string;
}

/** The header of a file and its rows. */
export interface RowSource {
  /** `csv` whatever its separator, or `ndjson` for every shape of JSON. */
  readonly format: Format;
  /** Columns of the header; empty for JSON. */
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<Row>;
  /** What was noticed, for people: the encoding, the separator, lines that are left out. Grows while rows are read. */
  readonly notes: readonly string[];
}
