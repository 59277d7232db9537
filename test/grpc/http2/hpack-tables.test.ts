/** The dynamic table against a plain list of what RFC 7541, section 4, leaves in it. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { HpackError } from '../../../src/grpc/http2/hpack-error.ts';
import { DynamicTable, type HeaderField, STATIC_FIELDS } from '../../../src/grpc/http2/hpack-tables.ts';

const bytesOf = (fields: readonly HeaderField[]): number =>
  fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);

const command = fc.oneof(
  { weight: 10, arbitrary: fc.record({ name: fc.nat(40), value: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ sizeMax: fc.nat(4096) }) },
);

test('has the newest fields that there is room for', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400, size: 'max' }), (commands) => {
      const table = new DynamicTable(4096);
      const expected: HeaderField[] = [];
      let sizeMax = 4096;
      for (const [number, each] of commands.entries()) {
        if ('sizeMax' in each) {
          sizeMax = each.sizeMax;
          table.sizeMax = sizeMax;
        } else {
          const field: HeaderField = ['n'.repeat(each.name), `${number}`.padEnd(each.value)];
          table.add(field);
          expected.unshift(field);
        }
        while (bytesOf(expected) > sizeMax) expected.pop();
        expect([table.bytes, table.count]).toEqual([bytesOf(expected), expected.length]);
        expect(expected.every((field, position) => table.at(position) === field)).toBe(true);
        expect(table.at(expected.length)).toBeUndefined();
      }
    }),
  );
});

test('as many fields as fit, all of them without a byte', () => {
  const table = new DynamicTable(32 * 1000);
  for (let i = 0; i < 1500; i++) table.add(['', '']);
  expect(table.count).toBe(1000);
});

test('a field of exactly its size stays, a larger one empties it', () => {
  const table = new DynamicTable(100);
  table.add(['a', 'b']);
  table.add(['name', 'v'.repeat(64)]);
  expect(table.count).toBe(1);
  table.add(['name', 'v'.repeat(65)]);
  expect(table.count).toBe(0);
  expect(table.bytes).toBe(0);
});

test('its size may be its limit, and no more', () => {
  const table = new DynamicTable(100);
  table.sizeMax = 0;
  table.sizeMax = 100;
  expect(() => (table.sizeMax = 101)).toThrow(HpackError);
  expect(table.sizeMax).toBe(100);
  table.limit = 101;
  table.sizeMax = 101;
});

test('the static table has 61 fields', () => {
  expect(STATIC_FIELDS).toHaveLength(61);
  expect(STATIC_FIELDS[60]).toEqual(['www-authenticate', '']);
});
