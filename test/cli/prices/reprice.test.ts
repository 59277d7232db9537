/** `charge prices reprice`, against a service in memory. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { RepriceChargesResponse } from '../../../generated/charge/v1/price_service.ts';
import { timeText } from '../../../src/cli/time.ts';
import { waitFor } from '../../support/wait-for.ts';
import { PriceHarness } from './support/harness.ts';

let harness: PriceHarness;

beforeEach(async () => {
  harness = await PriceHarness.open();
  harness.service.pages = [
    page(5n, 10_000_000_000_000_000_001n, 4n),
    page(7n, 2_500_000_000n, 0n),
    page(1n, 0n, 9n),
  ];
});

afterEach(() => harness.close());

const RANGE = ['--from', '2026-01-01', '--to', '2026-02-01'];

function page(changed: bigint, after: bigint, sequence: bigint): RepriceChargesResponse {
  return RepriceChargesResponse.fromPartial({
    matchedCharges: 10n,
    changedCharges: changed,
    unpricedCharges: 1n,
    amounts: [
      {
        before: { currencyCode: 'USD', nanos: 1_500_000_000n },
        after: { currencyCode: 'USD', nanos: after / 2n },
      },
      { before: { currencyCode: 'EUR', nanos: 1n }, after: { currencyCode: 'EUR', nanos: 1n } },
    ],
    lastSequence: sequence,
  });
}

const SUMS = [
  { currency_code: 'EUR', before_nanos: '3', after_nanos: '3' },
  { currency_code: 'USD', before_nanos: '4500000000', after_nanos: '5000000001250000000' },
];

test('goes through every page and adds up what each did, in each currency', async () => {
  const { code, json } = await harness.run(
    'reprice',
    ...RANGE,
    '--reason',
    'new prices',
    '--yes',
    '--json',
    '--run-id',
    'r1',
  );
  expect(code).toBe(0);
  expect(json).toEqual({
    status: 'repriced',
    run_id: 'r1',
    matched_charges: 30,
    changed_charges: 13,
    unpriced_charges: 3,
    amounts: SUMS,
    last_sequence: '9',
    next_page_token: '',
    continue: null,
    error: null,
  });
  const requests = harness.service.repriced;
  expect(requests.map(({ pageToken }) => pageToken)).toEqual(['', 'page-1', 'page-2']);
  expect(new Set(requests.map(({ runId, reason, dryRun }) => `${runId} ${reason} ${dryRun}`))).toEqual(
    new Set(['r1 new prices false']),
  );
  expect(requests[0]).toMatchObject({ includePriced: false, allowClosedPeriod: false });
  expect([timeText(requests[0]?.filter?.startTime), timeText(requests[0]?.filter?.endTime)]).toEqual([
    '2026-01-01T00:00:00Z',
    '2026-02-01T00:00:00Z',
  ]);
});

test('the text has the sums and their differences', async () => {
  const { stdout } = await harness.run(
    'reprice',
    ...RANGE,
    '--dry-run',
    '--include-priced',
    '--allow-closed-period',
  );
  expect(stdout).toMatch(/^Dry run, nothing was changed:/);
  expect(stdout).toContain('USD 4.50 → 5000000001.25 (+4999999996.75)');
  expect(harness.service.repriced[0]).toMatchObject({
    dryRun: true,
    includePriced: true,
    allowClosedPeriod: true,
  });
});

test('without --yes and a terminal it makes a dry run, and changes nothing', async () => {
  const { code, stderr } = await harness.run('reprice', ...RANGE, '--reason', 'x');
  expect(code).toBe(2);
  expect(stderr).toContain('USD 4.50 → 5000000001.25');
  expect(stderr).toContain('--yes changes the costs');
  expect(harness.service.repriced.map(({ dryRun }) => dryRun)).toEqual([true, true, true]);
});

test('after Ctrl-C it names the command that goes on, and that command does the rest', async () => {
  let arrived = 0;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  harness.service.beforeAnswer = () => {
    arrived += 1;
    return arrived === 2 ? released : undefined;
  };
  const { child, done } = harness.spawn(
    'reprice',
    ...RANGE,
    '--reason',
    "it's new",
    '--include-priced',
    '--yes',
    '--json',
  );
  await waitFor('the second page', () => arrived === 2);
  const said = new Promise<void>((resolve) =>
    child.stderr.on('data', (text: string) => text.includes('Stopping') && resolve()),
  );
  child.kill('SIGINT');
  await said;
  release();
  const { code, stdout } = await done;
  expect(code).toBe(130);
  const first = JSON.parse(stdout) as { status: string; continue: string; run_id: string };
  expect(first).toMatchObject({ status: 'interrupted', next_page_token: 'page-2', changed_charges: 12 });
  expect(first.continue).toMatch(/^npx charge prices reprice /);
  // The shell takes the command apart, as it does for a person.
  const { execFileSync } = await import('node:child_process');
  const words = execFileSync(
    'sh',
    ['-c', `printf '%s\\n' ${first.continue.replace('npx charge prices', '')}`],
    { encoding: 'utf8' },
  );
  const rest = await harness.run(...words.trimEnd().split('\n').slice(0, -2), '--json');
  expect(rest.json).toMatchObject({ status: 'repriced', run_id: first.run_id, changed_charges: 1 });
  expect(harness.service.repriced.at(-1)).toMatchObject({
    pageToken: 'page-2',
    reason: "it's new",
    includePriced: true,
    runId: first.run_id,
  });
});

test.each([
  ['PERIOD_CLOSED', expect.stringContaining('--page-token page-7')],
  // It would be refused again.
  ['PAGE_TOKEN_INVALID', null],
])(
  'a refusal of a page with %s is told, with the command that goes on if there is one',
  async (reason, goOn) => {
    harness.service.noPage = reason;
    harness.service.pages = harness.service.pages.slice(0, 1);
    const { code, json } = await harness.run(
      'reprice',
      ...RANGE,
      '--reason',
      'x',
      '--yes',
      '--json',
      '--run-id',
      'r',
      '--page-token',
      'page-7',
    );
    expect(code).toBe(1);
    expect(json).toMatchObject({
      status: 'refused',
      error: expect.stringContaining(reason),
      continue: goOn,
    });
  },
);

test('a dry run that fails before the question is told, and nobody is asked', async () => {
  harness.service.pages = [];
  const { code, stderr } = await harness.run('reprice', ...RANGE, '--reason', 'x');
  expect(code).toBe(1);
  expect(stderr).toMatch(/The service refused: .*PAGE_TOKEN_INVALID/);
  expect(stderr).not.toContain('--yes changes the costs');
});

test('wrong flags are all named', async () => {
  const { code, stderr } = await harness.run(
    'reprice',
    '--from',
    '2026-01-01',
    '--page-token',
    'x',
    '--run-id',
    'ü',
  );
  expect(code).toBe(2);
  expect(stderr).toMatch(/--to is needed[^]*--reason is needed[^]*--run-id: 1 to 128/);
  const other = await harness.run('reprice', ...RANGE, '--page-token', 'x', '--reason', 'y');
  expect(other.stderr).toContain('--page-token needs the --run-id');
});
