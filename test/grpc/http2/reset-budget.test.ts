/** How many streams a connection may reset in a row, and how soon again. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';

import { ResetBudget } from '../../../src/grpc/http2/reset-budget.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** How many more are allowed now. */
function allowed(budget: ResetBudget): number {
  let count = 0;
  while (budget.spend()) count++;
  return count;
}

test.each([0, 1, 60, 86_400])('after %d quiet seconds it is a thousand in a row', (seconds) => {
  const budget = new ResetBudget();
  jest.advanceTimersByTime(seconds * 1000);
  expect(allowed(budget)).toBe(1000);
  expect(budget.spend()).toBe(false);
});

test('what is spent comes back with time, and no more than that', () => {
  const budget = new ResetBudget();
  jest.advanceTimersByTime(60_000);
  expect(allowed(budget)).toBe(1000);
  jest.advanceTimersByTime(2_000);
  expect(allowed(budget)).toBe(66);
  jest.advanceTimersByTime(60_000);
  expect(allowed(budget)).toBe(1000);
});

test('a pace below the rate never ends', () => {
  const budget = new ResetBudget();
  for (let i = 0; i < 5000; i++) {
    jest.advanceTimersByTime(40);
    expect(budget.spend()).toBe(true);
  }
});
