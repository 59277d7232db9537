/** Bytes of the contract: strict reading, and writing into a buffer that is used again. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Charge } from '../../generated/charge/v1/charge.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../../src/grpc/timestamp.ts';
import { decodeStrictly, encodeTransient } from '../../src/grpc/codec.ts';
import { matches } from '../../src/charges/charge-filter.ts';
import type { Charge as DomainCharge } from '../../src/charges/charge.ts';

const charge = (userProfile: string, promptTokens = 0n): Charge => ({
  ...Charge.fromPartial({}),
  userProfile,
  promptTokens,
});

test('writes what a writer of its own would write, also after a larger message and after a failure', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 5000 }),
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      (name, count) => {
        const made = charge(name, count);
        expect(encodeTransient(Charge, made)).toEqual(Buffer.from(Charge.encode(made).finish()));
        expect(() => encodeTransient(Charge, charge('x', 2n ** 64n))).toThrow('too large');
      },
    ),
  );
  const large = charge('x'.repeat(1_000_000));
  expect(encodeTransient(Charge, large)).toHaveLength(1_000_004);
  expect(encodeTransient(Charge, charge('y'))).toEqual(Buffer.from([0x12, 1, 0x79]));
});

test('reads what it wrote', () => {
  const made = charge('é😀\uFEFF\uFFFD'.repeat(50), 5n);
  expect(decodeStrictly(Charge, Buffer.from(encodeTransient(Charge, made)))).toEqual(made);
});

test('times survive the way there and back to the microsecond', () => {
  fc.assert(
    fc.property(fc.bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n), (micros) => {
      const time = toProtoTimestamp(micros);
      expect(time.nanos).toBeGreaterThanOrEqual(0);
      expect(time.nanos).toBeLessThan(1e9);
      expect(fromProtoTimestamp(time)).toBe(micros);
    }),
  );
});

test('a filter means what each of its members means', () => {
  const stored = {
    userProfile: 'u',
    sessionKey: 's',
    provider: 1,
    chargeType: 2,
    model: 'm',
    reference: 'r',
    labels: new Map([
      ['a', '1'],
      ['b', ''],
    ]),
    usageTimeMicros: 10n,
  } as unknown as DomainCharge;
  expect(matches({}, stored)).toBe(true);
  for (const same of ['userProfile', 'sessionKey', 'provider', 'chargeType', 'model', 'reference'] as const) {
    expect(matches({ [same]: stored[same] }, stored)).toBe(true);
    expect(matches({ [same]: typeof stored[same] === 'number' ? 3 : 'other' }, stored)).toBe(false);
  }
  expect(matches({ labels: new Map([['a', '1']]) }, stored)).toBe(true);
  expect(
    matches(
      {
        labels: new Map([
          ['a', '1'],
          ['b', ''],
        ]),
      },
      stored,
    ),
  ).toBe(true);
  expect(matches({ labels: new Map([['c', '']]) }, stored)).toBe(false);
  expect(matches({ startTimeMicros: 10n, endTimeMicros: 11n }, stored)).toBe(true);
  expect(matches({ startTimeMicros: 11n }, stored)).toBe(false);
  expect(matches({ endTimeMicros: 10n }, stored)).toBe(false);
});
