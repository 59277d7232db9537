/** `charge close-period` and `charge history`. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ChargeState } from '../../../generated/charge/v1/charge.ts';
import { GetChargeHistoryResponse } from '../../../generated/charge/v1/charge_service.ts';
import { CostStatus, UnpricedReason, UsageKind } from '../../../generated/charge/v1/money.ts';
import { FakeCorrections } from './support/fake-corrections.ts';

let service: FakeCorrections;

beforeEach(async () => {
  service = await FakeCorrections.open();
});
afterEach(() => service.close());

test('closing a period prints the sequence to cite', async () => {
  const args = ['close-period', '--before', '2026-10-01T00:00:00+02:00'];
  expect(await service.run(...args)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Close all usage before 2026-09-30T22:00:00Z?'),
  });
  expect(service.closings).toEqual([]);
  expect(await service.run(...args, '--yes')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Cite sequence 42 on the invoice'),
  });
  expect(service.closings).toEqual([{ endTime: { seconds: 1_790_805_600n, nanos: 0 } }]);
  const { stdout } = await service.run(...args, '--yes', '--json');
  expect(JSON.parse(stdout)).toEqual({ end_time: '2026-09-30T22:00:00Z', sequence: '42' });
});

test.each(['01/02/2026', ''])('the moment %j is refused', async (text) => {
  expect(await service.run('close-period', '--before', text, '--yes')).toMatchObject({ code: 2 });
  expect(service.closings).toEqual([]);
});

test('the history tells each cost with its lines, and the correction', async () => {
  const charge = service.put(1, { state: ChargeState.CHARGE_STATE_VOIDED });
  const createTime = { seconds: 1_788_256_900n, nanos: 123_456_000 };
  service.history = GetChargeHistoryResponse.fromPartial({
    charge,
    costs: [
      {
        cost: {
          status: CostStatus.COST_STATUS_UNPRICED,
          unpricedReason: UnpricedReason.UNPRICED_REASON_MISSING_RATE,
          unpricedKinds: [UsageKind.USAGE_KIND_OUTPUT],
        },
        createTime,
      },
      {
        cost: {
          ...charge.cost,
          priceVersion: 7n,
          lines: [
            {
              kind: UsageKind.USAGE_KIND_INPUT,
              quantity: 1000n,
              nanosPerMillion: 1_500_000_000_000n,
              nanos: 1_500_000_000n,
            },
          ],
        },
        createTime,
        runId: 'run-1',
        reason: 'new price',
        sequence: 8n,
      },
    ],
    correction: { state: ChargeState.CHARGE_STATE_VOIDED, reason: 'twice', createTime, sequence: 9n },
  });
  const { code, stdout } = await service.run('history', charge.id);
  expect(code).toBe(0);
  for (const line of [
    `Charge ${charge.id}: VOIDED`,
    '2026-09-01T10:01:40.123456Z  UNPRICED (MISSING_RATE OUTPUT): recorded',
    '2026-09-01T10:01:40.123456Z  1.50 USD, price version 7: repriced by run-1 (new price), sequence 8',
    '  INPUT 1,000 at 1500.00 per 1,000,000 = 1.50',
    '2026-09-01T10:01:40.123456Z  VOIDED: twice, sequence 9',
  ])
    expect(stdout).toContain(line);
  const json = await service.run('history', '--request-id', 'r1', '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    costs: [{ createTime: '2026-09-01T10:01:40.123456Z' }, { runId: 'run-1', sequence: '8' }],
  });
});

test('no name in a charge can change the terminal of who looks at it', async () => {
  const evil = 'evil\u001b[2J\nTotal';
  const charge = service.put(1, { userProfile: evil, model: evil });
  service.history = GetChargeHistoryResponse.fromPartial({
    charge,
    correction: { state: ChargeState.CHARGE_STATE_VOIDED, reason: evil },
  });
  for (const args of [
    ['history', charge.id],
    ['void', charge.id, '--reason', 'why', '--dry-run'],
    ['amend', charge.id, '--reason', 'why', '--set', 'model=other', '--dry-run'],
  ]) {
    const { stdout, stderr } = await service.run(...args);
    expect(stdout + stderr).toContain('evil\ufffd[2J\ufffdTotal');
    expect(stdout + stderr).not.toContain('\u001b');
  }
});

test('the history of a charge that does not exist is refused with exit status 1', async () => {
  const { code, stderr } = await service.run('history', '--request-id', 'none');
  expect(code).toBe(1);
  expect(stderr).toContain('CHARGE_NOT_FOUND');
  expect(await service.run('history')).toMatchObject({ code: 2 });
});
