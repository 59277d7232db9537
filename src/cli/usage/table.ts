/** A table that fits a terminal. */

import { columnsOf, fit } from './names.ts';

/** A column. */
export interface Column {
  readonly title: string;
  /**
   * `name`: cut if there is no room. `number`: to the right, never cut. `extra`: a number that is left out if there is
   * no room. `marks`: takes the room that is left.
   */
  readonly kind: 'name' | 'number' | 'extra' | 'marks';
  /** Of names and marks: the smallest useful width. Absent: 12 for names, 8 for marks. */
  readonly widthMin?: number;
  /** Of marks: the largest useful width. */
  readonly widthMax?: number;
  /** The cell of a row. `width`: of the column; only marks need it. */
  readonly cell: (row: number, width: number) => string;
}

const GAP = 2;
const NAME_MIN = 12;
const NARROW_NAME_MIN = 4;
/** Marks in less room tell nothing. */
export const MARKS_MIN = 8;

/** A column that is shown, and how wide it is. */
interface Placed {
  readonly column: Column;
  width: number;
}

/** The lines of the table, the titles first. None is wider than `width`, unless the numbers alone are. */
export function tableLines(columns: readonly Column[], rows: number, width: number): string[] {
  const placed = place(columns, rows, width);
  const line = (cellOf: (placed: Placed) => string): string =>
    placed
      .map((place) => {
        const cell = cellOf(place);
        if (place.column.kind === 'name' || place.column.kind === 'marks') return fit(cell, place.width);
        return ' '.repeat(Math.max(place.width - columnsOf(cell), 0)) + cell;
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  const numbers = Array.from({ length: rows }, (_, row) => row);
  return [
    line(({ column }) => column.title),
    ...numbers.map((row) => line(({ column, width: room }) => column.cell(row, room))),
  ];
}

/** Leaves out extras, then the marks, until the rest fits; then shares the room out. */
function place(columns: readonly Column[], rows: number, width: number): Placed[] {
  const all = columns.map((column) => ({ column, width: naturalWidth(column, rows) }));
  const attempts = [
    all,
    all.filter(({ column }) => column.kind !== 'extra'),
    all.filter(({ column }) => column.kind !== 'extra' && column.kind !== 'marks'),
  ];
  const fits = (placed: readonly Placed[]): boolean => totalOf(placed, minWidth) <= width;
  const placed = attempts.find(fits) ?? attempts.at(-1) ?? [];
  const wanted = (place: Placed): number => (place.column.kind === 'marks' ? minWidth(place) : place.width);
  const isNarrow = !fits(placed);
  // The widest names give way first.
  for (let excess = totalOf(placed, wanted) - width; excess > 0; excess -= 1) {
    const names = placed.filter(
      (name) => name.column.kind === 'name' && name.width > (isNarrow ? NARROW_NAME_MIN : minWidth(name)),
    );
    const widest = names.reduce<Placed | undefined>((a, b) => (a && a.width >= b.width ? a : b), undefined);
    if (!widest) break;
    widest.width -= 1;
  }
  const left = width - totalOf(placed, wanted);
  for (const marks of placed.filter(({ column }) => column.kind === 'marks'))
    marks.width = Math.min(marks.width, minWidth(marks) + Math.max(left, 0));
  return placed;
}

/** How wide a column of marks can be that is added to these columns; less than 0: there is no room. */
export function roomForMarks(columns: readonly Column[], rows: number, width: number): number {
  const needed = columns
    .filter(({ kind }) => kind !== 'extra')
    .map((column) => ({ column, width: naturalWidth(column, rows) }));
  return width - totalOf(needed, minWidth) - GAP;
}

function naturalWidth(column: Column, rows: number): number {
  if (column.kind === 'marks') return Math.max(column.widthMax ?? 0, columnsOf(column.title));
  let width = columnsOf(column.title);
  for (let row = 0; row < rows; row += 1) width = Math.max(width, columnsOf(column.cell(row, 0)));
  return width;
}

function minWidth({ column, width }: Placed): number {
  if (column.kind !== 'name' && column.kind !== 'marks') return width;
  const { title, kind, widthMin = kind === 'name' ? NAME_MIN : MARKS_MIN } = column;
  return Math.min(width, Math.max(widthMin, columnsOf(title)));
}

function totalOf(placed: readonly Placed[], widthOf: (placed: Placed) => number): number {
  return placed.reduce((sum, place) => sum + widthOf(place), 0) + GAP * Math.max(placed.length - 1, 0);
}
