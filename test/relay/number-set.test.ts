import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { NumberRanges, NumberSet } from '../../src/relay/number-set.ts';

const numbers = fc.array(fc.bigInt({ min: 0n, max: 200_000n }));

test('a set of numbers is the same as a set of JavaScript', () => {
  fc.assert(
    fc.property(numbers, numbers, (added, asked) => {
      const [set, model] = [new NumberSet(), new Set<bigint>()];
      for (const number of added) {
        expect(set.add(number)).toBe(!model.has(number));
        model.add(number);
      }
      for (const number of [...added, ...asked]) expect(set.has(number)).toBe(model.has(number));
    }),
  );
});

test('ranges have every number, in order, and two that follow each other are never apart', async () => {
  const sorted = fc
    .uniqueArray(fc.bigInt({ min: 0n, max: 60n }))
    .map((all) => all.sort((a, b) => Number(a - b)));
  await fc.assert(
    fc.asyncProperty(sorted, async (all) => {
      const found: [bigint, bigint][] = [];
      const ranges = new NumberRanges((first, last) => void found.push([first, last]));
      for (const number of all) await ranges.add(number);
      await ranges.end();
      const listed = found.flatMap(([first, last]) =>
        Array.from({ length: Number(last - first) + 1 }, (_, index) => first + BigInt(index)),
      );
      expect(listed).toEqual(all);
      for (const [index, [first]] of found.entries()) {
        if (index > 0) expect(first).toBeGreaterThan((found[index - 1]?.[1] ?? 0n) + 1n);
      }
    }),
  );
});
