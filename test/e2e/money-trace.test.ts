/** A production trace, imported with a price of one's own: the total is what the file adds up to. */

import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { UsageWindow } from '../../generated/charge/v1/usage_service.ts';
import { findSharedData } from '../support/shared-data.ts';
import { openUsageClient, queryAllUsage, timestamp } from '../usage/support/client.ts';
import { runCharge } from './support/charge-program.ts';
import { JournalConsumer, type Total, totalOf } from './support/journal-consumer.ts';
import { MoneyClient, sumOf } from './support/money-client.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const trace = findSharedData('azure-llm-trace-conv.csv', 'the cost of the production trace');

interface TracePrice {
  /** Of 1,000,000 tokens, in dollars. */
  readonly input: string;
  readonly output: string;
}
const PRICE: TracePrice = { input: '2.50', output: '10.00' };
/** Charges, prompt tokens, completion tokens and nanos by {@link PRICE} of the hours that begin at these times. */
const HOURS: Readonly<Record<string, readonly (readonly [string, number, bigint, bigint, bigint])[]>> = {
  UTC: [
    ['2023-11-16T18:00:00.000Z', 15_606, 18_444_477n, 3_138_185n, 77_493_042_500n],
    ['2023-11-16T19:00:00.000Z', 3_760, 3_917_393n, 950_480n, 19_298_282_500n],
  ],
  'Asia/Kolkata': [
    ['2023-11-16T17:30:00.000Z', 4_204, 4_959_939n, 1_060_707n, 23_006_917_500n],
    ['2023-11-16T18:30:00.000Z', 15_162, 17_401_931n, 3_027_958n, 73_784_407_500n],
  ],
};
/** By this one most lines of a cost have a fraction of a nano, so that rounding matters. */
const FINE_PRICE: TracePrice = { input: '0.0375', output: '0.15003' };

/** The nanos of this many tokens at a decimal price of a million; a half is rounded to the even neighbour. */
function nanosOf(tokens: bigint, dollarsPerMillion: string): bigint {
  const [whole = '', decimals = ''] = dollarsPerMillion.split('.');
  const numerator = tokens * BigInt(whole + decimals) * 10n ** 9n;
  const denominator = 10n ** BigInt(decimals.length) * 10n ** 6n;
  const floor = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  return twice > denominator || (twice === denominator && floor % 2n === 1n) ? floor + 1n : floor;
}

/** What the file costs, from its text and a price alone. */
function costOfTrace({ input, output }: TracePrice): Total {
  const rows = readFileSync(trace ?? '', 'utf8')
    .split('\r\n')
    .slice(1);
  let nanos = 0n;
  for (const row of rows) {
    const [, prompt = '', completion = ''] = row.split(',');
    nanos += nanosOf(BigInt(prompt), input) + nanosOf(BigInt(completion), output);
  }
  return { nanos, charges: rows.length, unpriced: 0 };
}

/** The same from the file's text and a price alone, of the hours that begin so many minutes after a full hour of UTC. */
function hoursOfTrace({ input, output }: TracePrice, minutes: number): unknown[] {
  const hours = new Map<string, [start: string, charges: number, bigint, bigint, nanos: bigint]>();
  for (const row of readFileSync(trace ?? '', 'utf8')
    .split('\r\n')
    .slice(1)) {
    const [time = '', ...tokens] = row.split(',');
    const [prompt = 0n, completion = 0n] = tokens.map(BigInt);
    const [, date = '', hour = '', minute = ''] = /^(\S+) (\d\d):(\d\d)/.exec(time) ?? [];
    const start = Number(hour) - (Number(minute) < minutes ? 1 : 0);
    const name = `${date}T${String(start).padStart(2, '0')}:${String(minutes).padStart(2, '0')}:00.000Z`;
    const sums = hours.get(name) ?? [name, 0, 0n, 0n, 0n];
    sums[1]++;
    sums[2] += prompt;
    sums[3] += completion;
    sums[4] += nanosOf(prompt, input) + nanosOf(completion, output);
    hours.set(name, sums);
  }
  return [...hours.values()];
}

(trace === undefined ? describe.skip : describe)('the production trace with a price', () => {
  let service: MoneyService;
  let client: MoneyClient;

  beforeAll(async () => {
    service = await startMoneyService();
    client = new MoneyClient(service.address);
  });
  afterAll(async () => {
    client.close();
    await service.close();
  });

  const importPrice = async ({ input, output }: TracePrice, ...flags: string[]): Promise<void> => {
    const file = join(service.directory, 'prices.csv');
    const header = 'provider,model,currency_code,input,output';
    await writeFile(file, `${header}\nazure.ai.openai,llm,USD,${input},${output}\n`);
    expect(await runCharge(service.address, 'prices', 'import', file, ...flags)).toMatchObject({
      created: 1,
    });
  };

  test('imported: the total of the service is that of the file', async () => {
    await importPrice(PRICE);
    const flags = ['--set', 'model=llm', '--set', 'provider=azure.ai.openai'];
    const rejects = join(service.directory, 'rejects.ndjson');
    const report = await runCharge(service.address, 'import', trace ?? '', ...flags, '--rejects', rejects);
    expect(report).toMatchObject({ created: 19_366, replayed: 0, rejected: 0 });
    expect(costOfTrace(PRICE)).toEqual({ nanos: 96_791_325_000n, charges: 19_366, unpriced: 0 });
    expect(sumOf(await client.list())).toEqual(costOfTrace(PRICE));
  });

  test.each(['UTC', 'Asia/Kolkata'])(
    'its usage by the hour of %s is what the lines of the file add up to',
    async (timeZone) => {
      const usage = openUsageClient(service.address);
      const { rows } = await queryAllUsage(usage, {
        filter: {
          startTime: timestamp('2023-11-16T00:00:00Z'),
          endTime: timestamp('2023-11-17T00:00:00Z'),
        },
        window: UsageWindow.USAGE_WINDOW_HOUR,
        timeZone,
      });
      usage.close();
      const hours = rows.map(({ windowStart, charges, promptTokens, completionTokens, costs }) => [
        new Date(Number(windowStart?.seconds) * 1000).toISOString(),
        Number(charges),
        promptTokens,
        completionTokens,
        costs[0]?.nanos,
      ]);
      expect(hours).toEqual(hoursOfTrace(PRICE, timeZone === 'UTC' ? 0 : 30));
      expect(hours).toEqual(HOURS[timeZone]);
    },
  );

  test('repriced by a price with fractions of a nano: again, and by the events as well', async () => {
    await importPrice(FINE_PRICE, '--effective-time', '2023-01-01T00:00:00Z', '--allow-past', '--yes');
    const range = ['--from', '2023-11-16T00:00:00Z', '--to', '2023-11-17T00:00:00Z'];
    const run = ['--include-priced', '--reason', 'a new contract', '--yes'];
    await runCharge(service.address, 'prices', 'reprice', ...range, ...run);
    expect(costOfTrace(FINE_PRICE)).toEqual({ nanos: 1_451_993_012n, charges: 19_366, unpriced: 0 });
    expect(sumOf(await client.list())).toEqual(costOfTrace(FINE_PRICE));
    const consumer = new JournalConsumer(client.charges);
    const events = await consumer.first(2 * 19_366);
    consumer.close();
    expect(totalOf(events.slice(0, 19_366))).toEqual(costOfTrace(PRICE));
    expect(totalOf(events)).toEqual(costOfTrace(FINE_PRICE));
  });
});
