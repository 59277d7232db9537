/** What the formats of lines have in common. */

/** A format whose files are lines. */
export interface LineFormat<Row> {
  /** What stands before the first row. */
  readonly head: string;
  /** The lines of some rows. */
  lines(rows: readonly Row[]): string;
}
