import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { IdGroups } from '../../../../src/usage/store/reconcile/id-groups.ts';

const names = fc.constantFrom('000001', '000002', '000003');
const rows = fc.array(
  fc.record({
    name: names,
    count: fc.constant('1'),
    hash: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    first: fc.integer({ min: 1, max: 50 }),
  }),
);
const withEntries = ({ first, ...row }: { name: string; count: string; hash: string; first: number }) => ({
  ...row,
  first: String(first),
  last: String(first + 3),
});

test('sets that are equal have no different parts, in whatever order and pieces they come', () => {
  fc.assert(
    fc.property(rows, (all) => {
      const groups = new IdGroups();
      for (const row of [...all].reverse()) groups.subtract(withEntries(row));
      for (const row of all) groups.add(withEntries(row));
      expect(groups.different()).toEqual([]);
    }),
  );
});

test('an id that only one set has makes its part different, with the entries to look at', () => {
  fc.assert(
    fc.property(rows, names, fc.boolean(), (all, name, isStored) => {
      const groups = new IdGroups();
      for (const row of all) {
        groups.subtract(withEntries(row));
        groups.add(withEntries(row));
      }
      const one = { name, count: '1', hash: '77', first: '60', last: '60' };
      if (isStored) groups.subtract(one);
      else groups.add(one);
      const entries = all.filter((row) => row.name === name).map(({ first }) => first);
      const firsts = isStored ? entries : [...entries, 60];
      const lasts = isStored ? entries.map((first) => first + 3) : [...entries.map((first) => first + 3), 60];
      const range =
        firsts.length === 0
          ? { first: 1n, last: 0n }
          : { first: BigInt(Math.min(...firsts)), last: BigInt(Math.max(...lasts)) };
      expect(groups.different()).toEqual([{ name, ...range }]);
    }),
  );
});
