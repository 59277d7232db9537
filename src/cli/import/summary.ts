/** Recognises rows that sum up other rows. Charged, they would double the usage. */

import { Unusable, type Cell } from './row.ts';
import { parseTimestamp } from './timestamp.ts';

const WORDS = new Set(
  (
    'total,totals,grand total,sub total,subtotal,sum,overall,overall total,total usage,all users,all models,' +
    'average,avg,mean,' +
    'gesamt,gesamtsumme,summe,zwischensumme,insgesamt,durchschnitt,' +
    'total général,total general,sous-total,somme,totale,totale complessivo,somma,suma,suma total,totaal,' +
    'totalt,summa,soma,total geral,итого,всего,сумма,合計,小計,総計,总计,合计,小计,總計,합계,총계,toplam'
  ).split(','),
);
const WORD_LENGTH_MAX = 24;
/** What the rows before had is learnt from so many rows. */
const LEARNT_ROWS_MAX = 100;

/**
 * Tells summary rows from others, in the order of the file. A row sums up others if one of its cells says so
 * ("Total") and it has no time, or lacks a text that every row before had. A user of that name
 * has both. A row without any of the texts that every row before had is a sum, too.
 */
export class SummaryRows {
  readonly #isTable: boolean;
  #learnt = 0;
  /** Columns with a text or a time in every row so far. */
  #usual: readonly string[] | undefined;

  /** `isTable`: every row has the same columns. Objects may leave out what others have. */
  constructor(isTable: boolean) {
    this.#isTable = isTable;
  }

  /** Why the row is no usage. Undefined: it is usage, as far as this can tell. */
  reasonFor(columns: readonly string[], cells: readonly Cell[]): string | undefined {
    const word = cells.find(isSummaryWord);
    const texts = columns.filter((column, index) => isText(cells[index]) || isTime(column, cells[index]));
    const missing = this.#usual?.filter((column) => !texts.includes(column)) ?? [];
    if (
      word !== undefined &&
      (missing.length > 0 || !columns.some((column, index) => isTime(column, cells[index])))
    )
      return `the row sums up others (it says ${JSON.stringify(word)}): it is not charged`;
    if (this.#isTable && missing.length > 0 && texts.length === 0)
      return `the row has numbers only, and no ${missing.join(', ')} as the rows before: it seems to sum them up`;
    if (this.#learnt < LEARNT_ROWS_MAX) {
      this.#learnt += 1;
      this.#usual = this.#usual?.filter((column) => texts.includes(column)) ?? texts;
    }
    return undefined;
  }
}

/** Whether a text says "sum of these". No model is called so. */
export function isSummaryWord(cell: Cell): cell is string {
  if (typeof cell !== 'string' || cell.length > WORD_LENGTH_MAX || /^[\d\s]/.test(cell)) return false;
  return WORDS.has(
    cell
      .trim()
      .toLowerCase()
      .replace(/[:*=]+$/, '')
      .trimEnd(),
  );
}

/** A cell that is filled and no number. */
function isText(cell: Cell): boolean {
  return cell instanceof Unusable || (cell !== undefined && /[^\d\s.,+eE_'-]/.test(cell));
}

/** A row of digits is a time only in a column that is called so: in another it may be a large sum. */
function isTime(column: string, cell: Cell): boolean {
  if (typeof cell !== 'string' || !/\d/.test(cell)) return false;
  const isNamedTime = /time|date|stamp|created|_at$|^ts$|^t$|day/i.test(column);
  return (isNamedTime || /^\d{4}[-/.]\d|[a-z]{3} /i.test(cell)) && parseTimestamp(cell.trim()) !== undefined;
}
