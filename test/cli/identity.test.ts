import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { idInRow, NumberTable, requestIdOf } from '../../src/cli/import/identity.ts';

test('ids of rows are printable ASCII, whatever the rows say', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), (facts, number) => {
      expect(requestIdOf(facts, number)).toMatch(/^import:[\w-]{22}:\d+$/);
    }),
  );
});

test('rows that say something else have other ids, and so do equal rows by their number', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(), fc.nat(), (facts, others, number, other) => {
      fc.pre(facts !== others || number !== other);
      expect(requestIdOf(facts, number)).not.toBe(requestIdOf(others, other));
    }),
  );
});

test.each(['', ' ', 'None', 'null', 'NaN', '-', 'n/a'])('%j is no id', (text) => {
  expect(idInRow({ id: [[0]] }, [text])).toBeUndefined();
});

test('one column is taken as it is; several columns, and text that the service refuses, become a hash', () => {
  expect(idInRow({ id: [[0]] }, [' chatcmpl-1 '])).toBe('chatcmpl-1');
  expect(idInRow({ id: [[1, 0]] }, ['second choice', ''])).toBe('second choice');
  const hashes = [
    idInRow({ id: [[0]] }, ['é']),
    idInRow({ id: [[0]] }, ['x'.repeat(129)]),
    idInRow({ id: [[0], [1]] }, ['a', 'bc']),
    idInRow({ id: [[0], [1]] }, ['ab', 'c']),
    idInRow({ id: [[0], [1]] }, ['abc', '']),
  ];
  expect(new Set(hashes).size).toBe(5);
  for (const hash of hashes) expect(hash).toMatch(/^import:[\w-]{22}$/);
});

test('a bucket keeps its id if a spreadsheet writes its time or a truth value in another form', () => {
  const idOf = (...cells: string[]) => idInRow({ id: cells.map((_, index) => [index]) }, cells);
  const id = idOf('2026-09-01', 'False', 'gpt-5.2');
  expect(idOf('2026-09-01 00:00:00', 'FALSE', 'gpt-5.2')).toBe(id);
  expect(idOf('2026-09-01T00:00:00Z', 'false', 'gpt-5.2')).toBe(id);
  const others = [
    idOf('2026-09-02', 'False', 'gpt-5.2'),
    idOf('2026-09-01', 'True', 'gpt-5.2'),
    idOf('2026-09-01', 'False', 'GPT-5.2'),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
});

test('the table of numbers is a Map, also while it grows', () => {
  const table = new NumberTable();
  for (let round = 1; round <= 2; round += 1)
    for (let key = 0; key < 5000; key += 1) expect(table.count(`key ${key}`)).toBe(round);
  expect(table.size).toBe(5000);
  expect(table.get('another')).toBeUndefined();
  table.set('key 1', 7.5);
  expect(table.get('key 1')).toBe(7.5);
});
