/** A table fits its terminal. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { columnsOf } from '../../../src/cli/usage/names.ts';
import { roomForMarks, tableLines, type Column } from '../../../src/cli/usage/table.ts';

function column(kind: Column['kind'], title: string, cells: string[], widths: Partial<Column> = {}): Column {
  return { kind, title, cell: (row) => cells[row] ?? '', ...widths };
}

const COLUMNS: Column[] = [
  column('name', 'MODEL', ['gpt-5.2', '日本語モデル-with-a-long-name']),
  column('number', 'COST', ['1.50', '12,345.00']),
  column('extra', 'PROMPT', ['1,000', '2']),
  { kind: 'marks', title: '', widthMax: 20, cell: (row, width) => '█'.repeat(row === 0 ? width : 1) },
];

test('with enough room everything is shown in full', () => {
  expect(tableLines(COLUMNS, 2, 100)).toEqual([
    'MODEL                               COST  PROMPT',
    'gpt-5.2                             1.50   1,000  ████████████████████',
    '日本語モデル-with-a-long-name  12,345.00       2  █',
  ]);
});

test('with less room bars get shorter, then names are cut, then extras go, then bars', () => {
  expect(tableLines(COLUMNS, 2, 60)[1]).toMatch(/^gpt-5.2 {23,} 1.50 {3}1,000 {2}█{8,12}$/);
  expect(tableLines(COLUMNS, 2, 50)).toEqual([
    'MODEL                       COST  PROMPT',
    'gpt-5.2                     1.50   1,000  ████████',
    '日本語モデル-with-a-…  12,345.00       2  █',
  ]);
  expect(tableLines(COLUMNS, 2, 38)).toEqual([
    'MODEL                   COST',
    'gpt-5.2                 1.50  ████████',
    '日本語モデル-wit…  12,345.00  █',
  ]);
  expect(tableLines(COLUMNS, 2, 30)).toEqual([
    'MODEL                     COST',
    'gpt-5.2                   1.50',
    '日本語モデル-with-…  12,345.00',
  ]);
});

test('no line is wider than the terminal', () => {
  const name = fc.string({ unit: 'grapheme-ascii', maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 30, max: 160 }),
      (names, width) => {
        const columns = [column('name', 'NAME', names), ...COLUMNS.slice(1)];
        return tableLines(columns, names.length, width).every((line) => columnsOf(line) <= width);
      },
    ),
  );
});

test('marks are told the room that is left by the other columns', () => {
  // 12 for the name, 9 for the number, and the gaps.
  expect(roomForMarks(COLUMNS.slice(0, 2), 2, 60)).toBe(60 - 12 - 2 - 9 - 2);
  expect(roomForMarks(COLUMNS.slice(0, 2), 2, 20)).toBeLessThan(0);
});

test('marks that may not be cut give way as a whole', () => {
  const marks = column('marks', 'TREND', ['▁'.repeat(30)], { widthMin: 30, widthMax: 30 });
  const columns = [...COLUMNS.slice(0, 2), marks];
  expect(tableLines(columns, 2, 57)[1]).toContain('▁'.repeat(30));
  expect(tableLines(columns, 2, 54)[0]).not.toContain('TREND');
});
