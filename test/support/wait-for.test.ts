import { expect, test } from '@jest/globals';
import { waitFor } from './wait-for.ts';

test('returns the first truthy value, after errors and falsy ones', async () => {
  let calls = 0;
  const value = await waitFor(
    'the third call',
    () => {
      calls += 1;
      if (calls === 1) throw new Error('not yet');
      return calls >= 3 && `call ${String(calls)}`;
    },
    { intervalMs: 1 },
  );
  expect(value).toBe('call 3');
});

test('names what it waited for, and the last value or error', async () => {
  const bounds = { timeoutMs: 30, intervalMs: 1 };
  await expect(waitFor('rain', () => 0, bounds)).rejects.toThrow(
    /30 ms in vain for rain; the last value was 0/,
  );
  await expect(waitFor('rain', () => Promise.reject(new Error('dry')), bounds)).rejects.toThrow(
    /for rain; .*dry/,
  );
});

test('gives up on a condition that never settles', async () => {
  await expect(
    waitFor('godot', () => new Promise<boolean>(() => undefined), { timeoutMs: 30 }),
  ).rejects.toThrow(/for godot/);
});
