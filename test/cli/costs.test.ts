/** Sums of costs. */

import { expect, test } from '@jest/globals';
import { Charge, Provider } from '../../generated/charge/v1/charge.ts';
import { CostStatus } from '../../generated/charge/v1/money.ts';
import { CostSums } from '../../src/cli/costs.ts';

test('of many models without a price the first are named, and the others counted', () => {
  const sums = new CostSums();
  for (const model of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'g'])
    sums.add(
      Charge.fromPartial({
        provider: Provider.PROVIDER_OPENAI,
        model,
        cost: { status: CostStatus.COST_STATUS_UNPRICED },
      }),
    );
  expect(sums.unpricedModels).toMatch(/^OPENAI g \(2\), .* and 2 more$/);
  expect(sums.unpriced).toBe(8);
});
