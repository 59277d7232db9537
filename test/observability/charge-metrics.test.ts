/** A model is any text that a caller likes: it must not make any number of series. */

import { expect, test } from '@jest/globals';
import { register } from 'prom-client';

import { createChargeMetrics, MODELS_MAX } from '../../src/observability/charge-metrics.ts';

test('tokens have series of their own for a limited number of models, and none is lost', async () => {
  const metrics = createChargeMetrics();
  const counts = { prompt: 3, completion: 2, other: 1 };
  metrics.tokens('openai', 'first', counts);
  metrics.tokens('openai', 'line\nend', counts);
  metrics.tokens('openai', 'x'.repeat(101), counts);
  for (let i = 0; i < 5 * MODELS_MAX; i++) {
    metrics.tokens('openai', `model-${i}`, counts);
    metrics.tokens('other', `model-${i}`, counts);
  }
  metrics.tokens('openai', 'first', counts);

  const read = async () => {
    const { values } = (await register.getSingleMetric('charge_tokens_total')?.get()) ?? { values: [] };
    const of = (provider: string, model: string) =>
      values
        .filter(({ labels }) => labels['provider'] === provider && labels['model'] === model)
        .map(({ labels, value }) => [labels['token_type'], value]);
    return { values, of };
  };
  const { values, of } = await read();
  expect(of('openai', 'first')).toEqual([
    ['prompt', 6],
    ['completion', 4],
    ['other', 2],
  ]);
  // 200 pairs, and one for the other models of each provider.
  expect(values).toHaveLength(3 * (MODELS_MAX + 2));
  expect(values.reduce((sum, { value }) => sum + value, 0)).toBe(6 * (10 * MODELS_MAX + 4));
  // A second scrape adds nothing.
  expect((await read()).values).toEqual(values);
});
