/** `charge prices check`, `list` and the guess of the nearest price, against a service in memory. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier, UnpricedReason, UsageKind } from '../../../generated/charge/v1/money.ts';
import { ListUnpricedUsageResponse, UnpricedUsage } from '../../../generated/charge/v1/price_service.ts';
import { parseTimestamp } from '../../../src/cli/import/timestamp.ts';
import { nearestPrice } from '../../../src/cli/prices/nearest.ts';
import { basisText, describeKey } from '../../../src/cli/prices/price-text.ts';
import { timeText } from '../../../src/cli/time.ts';
import { convertEntries } from './support/catalogue.ts';
import { PriceHarness } from './support/harness.ts';

let harness: PriceHarness;

beforeEach(async () => {
  harness = await PriceHarness.open();
});

afterEach(() => harness.close());

const PRICES = [
  'provider,model,model_match,service_tier,region,currency_code,effective_time,input,output,cache_read,note',
  'openai,gpt-4o,,,,USD,,2.5,10,1.25,',
  'openai,gpt-4o,,batch,,USD,,1.25,5,,',
  'openai,gpt-4,,,,USD,2024-01-01,30,60,,first',
  'openai,gpt-4,,,,USD,2025-01-01,20,40,,then',
  'openai,ft:gpt-4o:,prefix,,,USD,,3,12,,',
  'anthropic,claude-sonnet-4-20250514,,,,USD,,3,15,0.3,',
];

function usage(fields: Partial<UnpricedUsage>): UnpricedUsage {
  return UnpricedUsage.fromPartial({
    provider: Provider.PROVIDER_OPENAI,
    chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
    serviceTier: ServiceTier.SERVICE_TIER_STANDARD,
    reason: UnpricedReason.UNPRICED_REASON_NO_PRICE,
    charges: 10n,
    firstUsageTime: parseTimestamp('2024-06-01T00:00:00Z')!,
    lastUsageTime: parseTimestamp('2025-06-01T00:00:00.000001Z')!,
    ...fields,
  });
}

function unpriced(...usages: UnpricedUsage[]): void {
  harness.service.unpriced = ListUnpricedUsageResponse.fromPartial({
    usages,
    pricedCharges: 90n,
    unpricedCharges: usages.reduce((sum, { charges }) => sum + charges, 0n),
  });
}

describe('check', () => {
  test('without unpriced charges the exit status is 0', async () => {
    unpriced();
    expect(await harness.run('check')).toMatchObject({ code: 0, stdout: 'All 90 charges have a cost.\n' });
    expect((await harness.run('check', '--json')).json).toMatchObject({
      status: 'priced',
      usages: [],
      next: [],
    });
  });

  test('says which models, how many charges, why, and the nearest price by name; the exit status is 1', async () => {
    await harness.run('import', harness.write('prices.csv', ...PRICES));
    unpriced(
      usage({ model: 'gpt-4o-2024-11-20', charges: 1200n }),
      usage({
        model: 'gpt-4',
        reason: UnpricedReason.UNPRICED_REASON_MISSING_RATE,
        kinds: [UsageKind.USAGE_KIND_CACHE_READ],
      }),
    );
    const { code, stdout } = await harness.run('check', '--from', '2024-01-01');
    expect(code).toBe(1);
    expect(timeText(harness.service.unpricedRequest?.startTime)).toBe('2024-01-01T00:00:00Z');
    expect(harness.service.unpricedRequest?.endTime).toBeUndefined();
    expect(stdout).toContain('1,210 of 1,300 charges have no cost');
    expect(stdout).toMatch(
      /1,200 +openai +gpt-4o-2024-11-20 +completion +standard +no price .* openai gpt-4o\n/,
    );
    expect(stdout).toMatch(/10 +openai +gpt-4 +completion +standard +missing rate: cache_read .*\d\dZ\n/);
    const { json } = await harness.run('check', '--json');
    expect(json).toMatchObject({
      status: 'unpriced',
      priced_charges: 90,
      unpriced_charges: 1210,
      usages: [
        { model: 'gpt-4o-2024-11-20', charges: 1200, reason: 'no_price', nearest_by_name: 'openai gpt-4o' },
        { model: 'gpt-4', reason: 'missing_rate', kinds: ['cache_read'], nearest_by_name: null },
      ],
    });
  });

  test('charges whose price came later only need a reprice', async () => {
    await harness.run('import', harness.write('prices.csv', ...PRICES));
    const reason = UnpricedReason.UNPRICED_REASON_MISSING_RATE;
    unpriced(
      usage({ model: 'gpt-4o' }),
      usage({ model: 'ft:gpt-4o:acme' }),
      usage({ model: 'gpt-4o', reason, kinds: [UsageKind.USAGE_KIND_CACHE_READ] }),
    );
    const { stdout } = await harness.run('check', '--csv', join(harness.folder, 'rows.csv'));
    expect(stdout).toContain('no price; there is one now');
    expect(stdout).toContain('missing rate: cache_read; there is one now');
    expect(stdout).toMatch(/What to type next:\n *npx charge prices reprice .*--dry-run/);
    expect(readFileSync(join(harness.folder, 'rows.csv'), 'utf8').trim().split('\n')).toHaveLength(1);
    unpriced(usage({ model: 'gpt-4o' }), usage({ model: 'gpt-9' }));
    const { json } = await harness.run('check', '--json');
    expect(json).toMatchObject({ usages: [{ has_price_now: true }, { has_price_now: false }] });
    expect(json['next']).toHaveLength(4);
    // Not before its price began.
    unpriced(usage({ model: 'gpt-4', firstUsageTime: parseTimestamp('2023-01-01T00:00:00Z')! }));
    expect((await harness.run('check', '--json')).json).toMatchObject({
      usages: [{ has_price_now: false }],
    });
  });

  test('the commands that it names work: the file that they write is filled in and imported', async () => {
    await harness.run('import', harness.write('prices.csv', ...PRICES));
    unpriced(
      usage({ model: 'new-model', region: 'eu', serviceTier: ServiceTier.SERVICE_TIER_BATCH }),
      usage({
        model: 'gpt-4',
        reason: UnpricedReason.UNPRICED_REASON_MISSING_RATE,
        kinds: [UsageKind.USAGE_KIND_CACHE_READ],
      }),
      usage({
        model: 'ft:gpt-4o:acme',
        reason: UnpricedReason.UNPRICED_REASON_MISSING_RATE,
        kinds: [UsageKind.USAGE_KIND_REASONING],
      }),
      usage({ model: 'router', reason: UnpricedReason.UNPRICED_REASON_NO_REPORTED_COST }),
    );
    const { json } = await harness.run('check', '--json');
    const next = json['next'] as string[];
    const at = ` --address ${harness.service.address}`;
    expect(next).toEqual([
      `npx charge prices check --csv unpriced.csv${at}`,
      `npx charge prices import unpriced.csv --allow-past --yes${at}`,
      `npx charge prices reprice --from 2024-06-01T00:00:00Z --to 2025-06-01T00:00:00.000002Z --dry-run${at}`,
      `npx charge prices reprice --from 2024-06-01T00:00:00Z --to 2025-06-01T00:00:00.000002Z --reason 'prices added' --yes${at}`,
    ]);
    const [check, load, dry, reprice] = next.map(argumentsOf);
    expect((await harness.spawn(...check!).done).code).toBe(1);
    const path = join(harness.folder, 'unpriced.csv');
    const written = readFileSync(path, 'utf8');
    expect(written).toBe(
      [
        'provider,charge_type,model,model_match,service_tier,region,effective_time,currency_code,note,input,output,cache_read,reasoning',
        'PROVIDER_OPENAI,CHARGE_TYPE_COMPLETION,new-model,,batch,eu,,,,,,,',
        'PROVIDER_OPENAI,CHARGE_TYPE_COMPLETION,gpt-4,,,,2024-01-01T00:00:00Z,USD,first,30,60,,',
        'PROVIDER_OPENAI,CHARGE_TYPE_COMPLETION,gpt-4,,,,2025-01-01T00:00:00Z,USD,then,20,40,,',
        'PROVIDER_OPENAI,CHARGE_TYPE_COMPLETION,ft:gpt-4o:,prefix,,,0001-01-01T00:00:00Z,USD,,3,12,,',
        '',
      ].join('\n'),
    );
    // Not filled in, it is refused, and nobody loses what is filled in.
    expect((await harness.spawn(...load!).done).code).toBe(2);
    expect((await harness.spawn(...check!).done).stderr).toContain('is there already');
    const filled = written
      .replace('batch,eu,,,,,,,', 'batch,eu,,USD,,1,2,,')
      .replace('first,30,60,,', 'first,30,60,15,')
      .replace('then,20,40,,', 'then,20,40,10,')
      .replace('USD,,3,12,,', 'USD,,3,12,,14');
    writeFileSync(path, filled);
    const before = harness.service.versions.length;
    expect(await harness.spawn(...load!).done).toMatchObject({ code: 0 });
    expect(
      harness.service.versions
        .slice(before)
        .map(
          (price) =>
            `${price.key ? describeKey(price.key) : ''} ${timeText(price.effectiveTime).slice(0, 10)} ${basisText(price)}`,
        ),
    ).toEqual([
      'openai new-model, batch, region eu 0001-01-01 USD input 1, output 2',
      'openai gpt-4 2024-01-01 USD input 30, output 60, cache_read 15',
      'openai gpt-4 2025-01-01 USD input 20, output 40, cache_read 10',
      'openai ft:gpt-4o:* 0001-01-01 USD input 3, output 12, reasoning 14',
    ]);
    expect(await harness.spawn(...dry!).done).toMatchObject({ code: 0 });
    expect(await harness.spawn(...reprice!).done).toMatchObject({ code: 0 });
    expect(harness.service.repriced.map(({ dryRun }) => dryRun)).toEqual([true, false]);
  });

  test('a model that had its first price after the usage gets one from then on', async () => {
    await harness.run(
      'import',
      harness.write(
        'p.csv',
        'provider,model,currency_code,effective_time,input',
        'openai,a,USD,2026-01-01,1',
      ),
    );
    unpriced(usage({ model: 'a' }));
    const { stdout } = await harness.run('check', '--csv', join(harness.folder, 'u.csv'));
    expect(readFileSync(join(harness.folder, 'u.csv'), 'utf8')).toContain(',a,2024-06-01T00:00:00Z,');
    expect(stdout).toContain('--allow-past --yes');
    expect(stdout).not.toContain('check --csv');
  });

  test('charges without a reported cost are not mended by a price', async () => {
    unpriced(usage({ model: 'a', reason: UnpricedReason.UNPRICED_REASON_NO_REPORTED_COST }));
    const { stdout } = await harness.run('check');
    expect(stdout).toContain('amend them');
    expect(stdout).not.toContain('What to type next');
  });

  test('wrong flags are named, and nothing is written', async () => {
    const { code, stderr } = await harness.run(
      'check',
      '--from',
      '2026-01-01',
      '--to',
      '2025-01-01',
      '--csv',
      'y.csv',
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/--from must be before --to/);
    expect(existsSync('y.csv')).toBe(false);
  });
});

describe('list', () => {
  beforeEach(async () => {
    await harness.run('import', harness.write('prices.csv', ...PRICES));
  });

  test('shows what is in force now, or all', async () => {
    const now = await harness.run('list');
    expect(now.stdout).toMatch(/^VERSION +PROVIDER +MODEL/);
    expect(now.stdout).toMatch(
      /4 +openai +gpt-4 +completion +standard +2025-01-01T00:00:00Z +USD input 20, output 40\n/,
    );
    expect(now.stdout).toMatch(/5 +openai +ft:gpt-4o:\* +completion +standard +the beginning +USD input 3/);
    expect(now.stdout).not.toContain('input 30');
    const all = await harness.run('list', '--all');
    expect(all.stdout.trim().split('\n')).toHaveLength(PRICES.length);
  });

  test('--provider and --model choose', async () => {
    const { stdout } = await harness.run('list', '--provider', 'openai', '--model', 'gpt-4o');
    expect(
      stdout
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.slice(0, 1)),
    ).toEqual(['2', '1']);
    expect((await harness.run('list', '--provider', 'openrouter')).stdout).toContain(
      'There are no such prices',
    );
  });

  test('--json prints prices in proto3 JSON with every digit', async () => {
    const { stdout } = await harness.run('list', '--json', '--model', 'gpt-4o');
    expect(JSON.parse(stdout)).toMatchObject([
      { version: '2', key: { serviceTier: 'SERVICE_TIER_BATCH' } },
      {
        version: '1',
        effectiveTime: '0001-01-01T00:00:00Z',
        rateCard: {
          rates: expect.arrayContaining([{ kind: 'USAGE_KIND_CACHE_READ', nanosPerMillion: '1250000000' }]),
        },
      },
    ]);
  });

  test('wrong flags are named', async () => {
    const { code, stderr } = await harness.run('list', 'all');
    expect(code).toBe(2);
    expect(stderr).toMatch(/too many arguments/);
  });
});

describe('the nearest price by name', () => {
  const prices = convertEntries(
    Object.fromEntries(
      [
        'gpt-4',
        'gpt-4o',
        'gpt-4o-mini',
        'gpt-4.1',
        'o3-mini',
        'claude-sonnet-4-20250514',
        'openrouter/openai/gpt-5',
        'ft:gpt-4o',
      ].map((name) => [
        name,
        {
          input_cost_per_token: 1e-6,
          litellm_provider: name.startsWith('claude')
            ? 'anthropic'
            : name.startsWith('openrouter')
              ? 'openrouter'
              : 'openai',
        },
      ]),
    ),
  ).prices.map(({ price }) => price);

  test.each([
    ['gpt-4o-2024-11-20', 'gpt-4o'],
    ['openai/gpt-4o', 'gpt-4o'],
    ['GPT-4o-mini-latest', 'gpt-4o-mini'],
    ['gtp-4o-mini', 'gpt-4o-mini'],
    ['gpt-4.1-ultra', 'gpt-4.1'],
    ['claude-sonnet-4@20250514', 'claude-sonnet-4-20250514'],
    ['gpt-5', 'openai/gpt-5'],
    ['o1-mini', undefined],
    ['gpt-3.5', undefined],
    ['llama3', undefined],
    ['', undefined],
  ])('%s: %s', (model, nearest) => {
    expect(nearestPrice(usage({ model }), prices)?.model).toBe(nearest);
  });

  test('is of the same charge type', () => {
    expect(
      nearestPrice(usage({ model: 'gpt-4o', chargeType: ChargeType.CHARGE_TYPE_TOOL }), prices),
    ).toBeUndefined();
  });
});

/** The arguments after `npx charge prices`, taken apart as a shell does. */
function argumentsOf(command: string): string[] {
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  expect(words.slice(0, 3)).toEqual(['npx', 'charge', 'prices']);
  return words.slice(3);
}
