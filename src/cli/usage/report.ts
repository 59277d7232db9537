/** The table for people. */

import { styleText } from 'node:util';
import { formatNanos } from '../money.ts';
import { CURRENCY_COLUMNS_MAX, currenciesOf } from './columns.ts';
import { safeName } from './names.ts';
import type { Question } from './question.ts';
import { tableLines } from './table.ts';
import { measureText, plainRows, sparklines, windowsOf } from './tables.ts';
import { unpricedNotes } from './unpriced.ts';
import { clockText } from './zone.ts';

/** With more windows than this, groups get a sparkline. */
const WINDOW_ROWS_MAX = 4;

/** The lines of the report for a terminal of this width. */
export async function reportLines(question: Question, width: number): Promise<string[]> {
  const { options } = question;
  const windows =
    options.window !== undefined && options.dimensions.length > 0 ? await windowsOf(question) : [];
  const { columns, shown, notes, isByTime } =
    windows.length > WINDOW_ROWS_MAX ? await sparklines(question, windows, width) : await plainRows(question);
  const [titles = '', ...lines] = tableLines(columns, shown.length, width);
  return [
    ...headerLines(question, isByTime),
    '',
    style('bold', titles),
    ...lines.map((line, index) => (shown[index]?.title === 'Total' ? style('bold', line) : line)),
    '',
    ...notes,
    ...notesOf(question),
    style('dim', `as of sequence ${question.asOf}`),
  ];
}

/** No colour codes, unless standard output is a terminal and NO_COLOR is not set. */
function style(format: 'bold' | 'dim', text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

function headerLines(question: Question, isByTime: boolean): string[] {
  const { dimensions, window, zone, range } = question.options;
  const by = dimensions.map(({ name }) => safeName(name)).join(' and ');
  const time = [
    ...(range.from ? [`from ${clockText(range.from, zone)}`] : ['from the beginning']),
    ...(range.to ? [`to ${clockText(range.to, zone)}`] : []),
  ].join(' ');
  const per = window === undefined ? '' : ` per ${window === '15m' ? '15 minutes' : window}`;
  const most = question.measure.amounts ? 'The highest' : 'The most';
  return [
    `Usage${by === '' ? '' : ` by ${by}`}${per} ${time}, ${zone}`,
    ...(isByTime ? [] : [`${most} ${measureText(question)} first`]),
  ];
}

function notesOf(question: Question): string[] {
  const { total } = question;
  const columns = currenciesOf(question);
  const others = total.costs.filter(({ currencyCode }) => !columns.includes(currencyCode));
  return [
    ...(others.length > 0
      ? [
          `Costs in more than ${CURRENCY_COLUMNS_MAX} currencies. Also: ${others.map(({ currencyCode, nanos }) => `${formatNanos(nanos)} ${currencyCode}`).join(', ')}`,
        ]
      : []),
    ...unpricedNotes(question),
  ];
}
