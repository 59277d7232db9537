/** What an import adds, as rules for any file and any history. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import type { Price } from '../../../generated/charge/v1/price_service.ts';
import { historyOf, inForceAt, planPrices } from '../../../src/cli/prices/plan.ts';
import { NO_NOTES, type PriceFile } from '../../../src/cli/prices/price-file.ts';
import { basisText, keyText } from '../../../src/cli/prices/price-text.ts';
import { BEGINNING, microsOf, timestampOf } from '../../../src/cli/prices/time.ts';

const NOW = 1_000_000_000n;
const OPTIONS = { effectiveTime: undefined, allowPast: true, replaceOthers: true, now: NOW };

interface Small {
  readonly model: string;
  readonly rate: number;
  /** Undefined: the import decides. */
  readonly hour: number | undefined;
}

function toPrice({ model, rate, hour }: Small, version = 0n): Price {
  return {
    version,
    key: {
      provider: Provider.PROVIDER_OPENAI,
      otherProvider: '',
      chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
      model,
      modelMatch: 0,
      serviceTier: 0,
      region: '',
    },
    effectiveTime: hour === undefined ? undefined : timestampOf(NOW + BigInt(hour) * 3_600_000_000n),
    basis: {
      $case: 'rateCard',
      value: { currencyCode: 'USD', rates: [{ kind: 1, nanosPerMillion: BigInt(rate) }], tiers: [] },
    },
    source: '',
    note: '',
    createTime: undefined,
  };
}

const hours = fc.constantFrom(-3, -2, -1, 1, 2);
const small = (hour: fc.Arbitrary<number | undefined>) =>
  fc.record({ model: fc.constantFrom('a', 'b'), rate: fc.integer({ min: 1, max: 3 }), hour });
const stored = fc.array(small(hours), { maxLength: 6 });
const file = fc.uniqueArray(small(fc.option(hours, { nil: undefined })), {
  maxLength: 6,
  selector: ({ model, hour }) => `${model} ${hour}`,
});

function fileOf(rows: readonly Small[]): PriceFile {
  const prices = rows.map((row, index) => ({ price: toPrice(row), origin: `line ${index}` }));
  return { format: 'csv', sourcePrefix: 'csv:f#', entries: rows.length, prices, notes: NO_NOTES };
}

test('after an import every price of the file is in force from its time on, and a second run adds nothing', () => {
  fc.assert(
    fc.property(stored, file, (before, rows) => {
      const versions = before.map((row, index) => toPrice(row, BigInt(index + 1)));
      const known = historyOf(versions);
      const { additions, unchanged } = planPrices(fileOf(rows), versions, OPTIONS);
      expect(additions.length + unchanged).toBe(rows.length);
      const after = [
        ...versions,
        ...additions.map(({ request }, index) => ({
          ...request.price!,
          effectiveTime: request.price?.effectiveTime ?? timestampOf(NOW),
          version: BigInt(versions.length + index + 1),
        })),
      ];
      const history = historyOf(after);
      for (const row of rows) {
        const price = toPrice(row);
        const text = keyText(price.key);
        const usual = known.has(text) ? NOW : microsOf(BEGINNING);
        const inForce = inForceAt(
          history.get(text),
          price.effectiveTime ? microsOf(price.effectiveTime) : usual,
        );
        expect(inForce && basisText(inForce)).toBe(basisText(price));
      }
      // A key that is new the first time has versions the second time: what had no time then is in force by now.
      const again = planPrices(fileOf(rows.filter(({ hour }) => hour !== undefined)), after, OPTIONS);
      expect(again.additions).toEqual([]);
      const ids = additions.map(({ request }) => request.requestId);
      expect(new Set(ids).size).toBe(ids.length);
    }),
    { numRuns: 1000 },
  );
});

test('the same import has the same request ids, and another price or another version in force has others', () => {
  const idsOf = (rows: readonly Small[], versions: readonly Price[]): string[] =>
    planPrices(fileOf(rows), versions, OPTIONS).additions.map(({ request }) => request.requestId);
  const row = { model: 'a', rate: 1, hour: undefined };
  const other = (version: bigint): Price => toPrice({ model: 'a', rate: 2, hour: -3 }, version);
  expect(idsOf([row], [])).toEqual(idsOf([row], []));
  const ids = [
    idsOf([row], []),
    idsOf([{ ...row, rate: 3 }], []),
    idsOf([row], [other(1n)]),
    idsOf([row], [other(2n)]),
  ].flat();
  expect(ids).toHaveLength(4);
  expect(new Set(ids).size).toBe(4);
});
