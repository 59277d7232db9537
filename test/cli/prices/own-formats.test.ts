/** Price files of our own: CSV and JSON. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier, UsageKind } from '../../../generated/charge/v1/money.ts';
import { ModelMatch, type Price } from '../../../generated/charge/v1/price_service.ts';
import { UsageError } from '../../../src/cli/command.ts';
import { openPriceContract } from '../../../src/cli/prices/contract.ts';
import { KIND_OF_COLUMN } from '../../../src/cli/prices/kinds.ts';
import { convertCsv } from '../../../src/cli/prices/own/csv.ts';
import { convertJson } from '../../../src/cli/prices/own/json.ts';
import { csvText, rowsOfPrice } from '../../../src/cli/prices/own/write-csv.ts';
import { basisText, describeKey } from '../../../src/cli/prices/price-text.ts';
import { timeText } from '../../../src/cli/prices/time.ts';
import { PriceHarness } from './support/harness.ts';

const contract = openPriceContract();

function csv(...lines: string[]): string[] {
  return convertCsv(lines.join('\n'), 'prices.csv').prices.map(
    ({ price }) => `${price.key ? describeKey(price.key) : ''}: ${basisText(price)}`,
  );
}

function faultsOf(...lines: string[]): readonly string[] {
  try {
    csv(...lines);
  } catch (error) {
    if (error instanceof UsageError) return error.faults;
  }
  return [];
}

describe('CSV', () => {
  test('a row is a price: of a million tokens, or of one of anything else', () => {
    expect(
      csv(
        'provider,model,currency_code,input,output,cache_read,request,search_query,input_millisecond,input_character',
        'openai,gpt-4o,usd,2.5,10,1.25,,,,',
        'PROVIDER_ANTHROPIC,claude,EUR,3,15,0,0.005,0.01,0.0000001,0.000015',
      ),
    ).toEqual([
      'openai gpt-4o: USD input 2.5, output 10, cache_read 1.25',
      'anthropic claude: EUR input 3, output 15, cache_read 0, request 0.005, search_query 0.01, input_millisecond 0.0000001, input_character 0.000015',
    ]);
  });

  test('every column of a key is read', () => {
    const { prices } = convertCsv(
      [
        'provider,other_provider,charge_type,model,model_match,service_tier,region,currency_code,effective_time,input,note',
        'other,acme,tool,search-,prefix,batch,eu,USD,2026-01-02T03:04:05.123456Z,1,"a, b"',
      ].join('\n'),
      'prices.csv',
    );
    expect(prices[0]?.price).toMatchObject({
      key: {
        provider: Provider.PROVIDER_OTHER,
        otherProvider: 'acme',
        chargeType: ChargeType.CHARGE_TYPE_TOOL,
        model: 'search-',
        modelMatch: ModelMatch.MODEL_MATCH_PREFIX,
        serviceTier: ServiceTier.SERVICE_TIER_BATCH,
        region: 'eu',
      },
      note: 'a, b',
    });
    expect(timeText(prices[0]?.price.effectiveTime)).toBe('2026-01-02T03:04:05.123456Z');
    expect(prices[0]?.price.source).toMatch(/^csv:prices\.csv#[0-9a-f]{16} line 2$/);
  });

  test('rows with above_prompt_tokens are tiers of the row without, wherever they stand', () => {
    expect(
      csv(
        'provider,model,currency_code,above_prompt_tokens,input,output',
        'openai,a,USD,200000,3,20',
        'openai,b,USD,,1,2',
        'openai,a,USD,,2.5,10',
      ),
    ).toEqual([
      'openai a: USD input 2.5, output 10; above 200000 prompt tokens input 3, output 20',
      'openai b: USD input 1, output 2',
    ]);
  });

  test('the other bases', () => {
    expect(
      csv(
        'provider,other_provider,model,basis,alias_model',
        'openai,,gpt-latest,alias,gpt-4o',
        'other,openrouter,,reported,',
        'openai,,gpt-3,withdrawn,',
      ),
    ).toEqual([
      'openai gpt-latest: alias of gpt-4o',
      'openrouter (any model): reported',
      'openai gpt-3: withdrawn',
    ]);
  });

  test('semicolons, tabs, a byte order mark, blank lines and Windows line ends are read', () => {
    expect(csv('\ufeffprovider;model;currency_code;input\r', 'openai;a;USD;1\r', '\r', ';;;\r')).toEqual([
      'openai a: USD input 1',
    ]);
    expect(csv('provider\tmodel\tcurrency_code\tinput', 'openai\ta\tUSD\t1')).toEqual([
      'openai a: USD input 1',
    ]);
  });

  test('a rate that is finer than the contract is rounded and reported', () => {
    const { notes } = convertCsv('provider,model,currency_code,input\nopenai,a,USD,0.1234567895', 'f');
    expect(notes.rounded).toEqual([
      { origin: 'line 2', field: 'input', text: '0.1234567895', nanosPerMillion: 123_456_790n },
    ]);
  });

  test('every fault is named with its line', () => {
    const header =
      'provider,other_provider,charge_type,model,model_match,service_tier,effective_time,currency_code,above_prompt_tokens,basis,alias_model,input';
    expect(
      faultsOf(
        header,
        'opnai,,,m,,,,USD,,,,1',
        'other,,,m,,,,USD,,,,1',
        'openai,x,,m,,,,USD,,,,1',
        'openai,,food,m,,,,USD,,,,1',
        'openai,,,m,regex,,,USD,,,,1',
        'openai,,,m,,cheap,,USD,,,,1',
        'openai,,,m,,,01/02/2026,USD,,,,1',
        'openai,,,m,,,,,,,,1',
        'openai,,,m,,,,USD,many,,,1',
        'openai,,,m,,,,,,free,,',
        'openai,,,m,,,,,,alias,,',
        'openai,,,m,,,,,,reported,,1',
        'openai,,,m,,,,USD,,,,"1,5"',
        'openai,,,m,,,,USD,,,,-1',
        'openai,,,m,,,,USD,,,,',
        'openai,,,m',
      ).map((fault) => fault.slice(0, 34)),
    ).toEqual([
      'line 17: the row has 4 cells, the ',
      'line 2: provider: "opnai" is not k',
      'line 3: other_provider: is missing',
      'line 4: other_provider: must be em',
      'line 5: charge_type: "food" is not',
      'line 6: model_match: "regex" is no',
      'line 7: service_tier: "cheap" is n',
      'line 8: effective_time: "01/02/202',
      'line 9: currency_code: is missing',
      'line 10: above_prompt_tokens: "man',
      'line 11: basis: "free" is not rate',
      'line 11: basis: a rate_card needs ',
      'line 11: currency_code: is missing',
      'line 12: alias_model: is missing',
      'line 13: basis: reported has no ra',
      'line 14: input: "1,5" is not a dec',
      'line 15: input: -1 is negative',
      'line 16: basis: a rate_card needs ',
    ]);
  });

  test('rows that do not fit together are named', () => {
    expect(
      faultsOf(
        'provider,model,currency_code,above_prompt_tokens,input,output',
        'openai,a,USD,,1,2',
        'openai,a,USD,,1,3',
        'openai,b,USD,1000,1,2',
        'openai,c,USD,,1,2',
        'openai,c,EUR,1000,1,',
      ),
    ).toEqual([
      'line 3: repeats the key, the effective time and the tier of line 2',
      'line 4: there is no row of this key and time without above_prompt_tokens',
      'line 6: the tier has no rate for output, and line 5 has one',
      'line 6: currency_code: line 5 has USD',
    ]);
  });

  test('an unknown column is refused, because it may come to mean something', () => {
    expect(faultsOf('provider,model,currency_code,input,discount', 'openai,a,USD,1,10%')).toEqual([
      expect.stringMatching(/^line 1: there is no column "discount"; columns are provider, /),
    ]);
    expect(faultsOf('provider,input,input', 'openai,1,1')).toEqual(
      expect.arrayContaining([
        'line 1: the column input is there twice',
        'line 1: the column model is missing',
      ]),
    );
  });

  test('what the program writes it reads as the same prices', () => {
    const rates = fc.uniqueArray(
      fc.record({
        kind: fc.constantFrom(...KIND_OF_COLUMN.values()),
        nanosPerMillion: fc.bigInt({ min: 0n, max: 10n ** 18n }),
      }),
      { minLength: 1, maxLength: 5, selector: ({ kind }) => kind },
    );
    const text = fc.stringMatching(/^[a-z",;:./-][ a-z0-9",;:./-]{0,20}[a-z"]$/);
    fc.assert(
      fc.property(text, rates, rates, fc.bigInt({ min: 1n, max: 10n ** 9n }), (model, base, more, above) => {
        const tier = [...base.map(({ kind }) => ({ kind, nanosPerMillion: above })), ...more];
        const unique = [...new Map(tier.map((rate) => [rate.kind, rate])).values()];
        const price = priceOf(model, {
          currencyCode: 'USD',
          rates: base,
          tiers: [{ abovePromptTokens: above, rates: unique }],
        });
        const [read] = convertCsv(csvText(rowsOfPrice(price), []), 'f').prices;
        expect(read && basisText(read.price)).toBe(basisText(price));
        expect(read?.price.key).toEqual(price.key);
        expect(read?.price.effectiveTime).toEqual(price.effectiveTime);
      }),
      { numRuns: 200 },
    );
  });
});

describe('JSON', () => {
  const json = (text: string) => convertJson(Buffer.from(text), 'prices.json', contract);
  const KEY = '"key":{"provider":"PROVIDER_OPENAI","chargeType":"CHARGE_TYPE_COMPLETION","model":"a"}';

  test('prices of the contract in proto3 JSON are read, with every digit', async () => {
    const { prices } = await json(`[
      {${KEY},
       "effectiveTime":"2026-01-02T03:04:05.123456Z",
       "rateCard":{"currencyCode":"USD","rates":[{"kind":"USAGE_KIND_INPUT","nanosPerMillion":999999999999999999}]}},
      {"key":{"provider":"PROVIDER_OPENAI","charge_type":"CHARGE_TYPE_TOOL"},"withdrawn":{}}
    ]`);
    expect(prices.map(({ price }) => basisText(price))).toEqual([
      'USD input 999999999.999999999',
      'withdrawn',
    ]);
    expect(timeText(prices[0]?.price.effectiveTime)).toBe('2026-01-02T03:04:05.123456Z');
    expect(prices.map(({ origin }) => origin)).toEqual(['line 2', 'line 5']);
  });

  test.each([
    ['an unknown field', `{${KEY},"discount":1,"withdrawn":{}}`, /discount/],
    [
      'a fraction of a rate',
      `{${KEY},"rateCard":{"rates":[{"kind":"USAGE_KIND_INPUT","nanosPerMillion":1.5}]}}`,
      /line 1: .*nanos/,
    ],
    ['a name that no value has', `{"key":{"provider":"PROVIDER_OPNAI"}}`, /OPNAI/],
    ['broken JSON', `{"key":}`, /line 1: .*JSON/],
    ['a key that is there twice', `{${KEY},"withdrawn":{}},\n{${KEY},"withdrawn":{}}`, /line 2: repeats/],
  ])('%s is refused', async (_what, text, fault) => {
    await expect(json(`[${text}]`)).rejects.toThrow(fault);
  });
});

describe('a file with a fault', () => {
  let harness: PriceHarness;
  beforeEach(async () => {
    harness = await PriceHarness.open();
  });
  afterEach(() => harness.close());

  test('of its rows adds nothing, and the exit status is 2', async () => {
    const file = harness.write(
      'f.csv',
      'provider,model,currency_code,input',
      'openai,a,USD,1',
      'openai,b,XYZ,1',
      'openai,c,XYZ,1',
    );
    const { code, stderr, json } = await harness.run('import', file, '--json');
    expect(code).toBe(2);
    expect(json).toMatchObject({
      status: 'refused',
      faults: [
        expect.stringMatching(/^line 3: .*currency_code/),
        expect.stringMatching(/^line 4: .*currency_code/),
      ],
    });
    expect(stderr).toContain('Nothing was sent');
    expect(harness.service.batches).toBe(0);
  });

  test.each([
    ['is empty', ''],
    ['is not JSON', '{"a":'],
  ])('%s', async (fault, text) => {
    const { code, stderr } = await harness.run('import', harness.write('f', text));
    expect(code).toBe(2);
    expect(stderr).toContain(fault);
  });

  test('is not there', async () => {
    const { code, stderr } = await harness.run('import', 'nowhere.json');
    expect(code).toBe(2);
    expect(stderr).toContain('ENOENT');
  });
});

function priceOf(model: string, value: Extract<Price['basis'], { $case: 'rateCard' }>['value']): Price {
  return {
    version: 0n,
    key: {
      provider: Provider.PROVIDER_OTHER,
      otherProvider: 'acme',
      chargeType: ChargeType.CHARGE_TYPE_PLUGIN,
      model,
      modelMatch: ModelMatch.MODEL_MATCH_EXACT,
      serviceTier: ServiceTier.SERVICE_TIER_FLEX,
      region: '',
    },
    effectiveTime: { seconds: -62_135_596_800n, nanos: 1000 },
    basis: { $case: 'rateCard', value },
    source: '',
    note: 'a "note", with; marks',
    createTime: undefined,
  };
}

test('every kind has a column', () => {
  expect(KIND_OF_COLUMN.size).toBe(Object.values(UsageKind).filter((kind) => kind > 0).length);
});
