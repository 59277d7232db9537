/** What the supervisor tells of the events that are not in the stream. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';

import { createRelayMetrics } from '../../src/observability/relay-metrics.ts';
import type { Unpublished } from '../../src/relay/index.ts';
import { watchUnpublished } from '../../src/supervisor/relay-status.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('an old count is not shown while PostgreSQL hangs, and the next answer is', async () => {
  const answers: ((answer: Unpublished) => void)[] = [];
  const metrics = createRelayMetrics(new Registry());
  const watch = watchUnpublished(metrics, () => new Promise((resolve) => answers.push(resolve)));
  const shown = async () => (await metrics.backlog.get()).values.map(({ value }) => value);
  const answer = async (waiting: number) => {
    answers.at(-1)?.({ waiting, deadLetters: 0 });
    await jest.advanceTimersByTimeAsync(0);
  };

  await answer(3);
  expect(watch.latest()).toEqual({ waiting: 3, deadLetters: 0 });
  expect(await shown()).toEqual([3]);

  await jest.advanceTimersByTimeAsync(5_000);
  expect(answers).toHaveLength(2);
  expect(watch.latest()).toBeUndefined();
  expect(await shown()).toEqual([]);

  await answer(7);
  expect(watch.latest()?.waiting).toBe(7);
  expect(await shown()).toEqual([7]);
  watch.stop();
});
