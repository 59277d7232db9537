import { afterEach, describe, expect, jest, test } from '@jest/globals';

import { firstIdAt, lastIdAt, newChargeId, timeOfChargeId } from '../../src/charges/charge-id.ts';

const START_MS = 1_800_000_000_000;

function idsAt(ms: number, count: number): string[] {
  jest.spyOn(Date, 'now').mockReturnValue(ms);
  return Array.from({ length: count }, newChargeId);
}

function expectAscending(ids: readonly string[]): void {
  for (const [index, id] of ids.slice(1).entries()) {
    expect(id > (ids[index] ?? id)).toBe(true);
  }
}

describe('ids of charges', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('ascend, within a millisecond and when the clock goes back a little', () => {
    expectAscending([
      ...idsAt(START_MS, 1000),
      ...idsAt(START_MS + 1, 1000),
      ...idsAt(START_MS - 3_000, 1000),
      ...idsAt(START_MS + 2, 1),
    ]);
  });

  test('carry the time of their creation', () => {
    for (const id of idsAt(START_MS + 100, 3)) {
      expect(timeOfChargeId(id)).toBe(BigInt(START_MS + 100) * 1000n);
    }
  });

  test('lie between the first and the last one of their millisecond', () => {
    const [id = ''] = idsAt(START_MS + 150, 1);
    const micros = timeOfChargeId(id);
    const bounds = [firstIdAt(micros), id, lastIdAt(micros), firstIdAt(micros + 1000n)];
    expectAscending(bounds);
    expect(bounds.map(timeOfChargeId)).toEqual([micros, micros, micros, micros + 1000n]);
  });

  test('follow a clock that was set back far: charges must not stay dated in the future', () => {
    idsAt(START_MS + 3_600_000, 1);
    const [id] = idsAt(START_MS + 200, 1);
    expect(timeOfChargeId(id ?? '')).toBe(BigInt(START_MS + 200) * 1000n);
  });
});
