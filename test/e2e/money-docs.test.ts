/** docs/money.md: every command prints what the page says. */

import { symlinkSync } from 'node:fs';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { findSharedData } from '../support/shared-data.ts';
import { findGrpcurl, skipNote } from '../support/tools.ts';
import { Checkout, readPage } from './support/docs-page.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const page = readPage('money.md');
const catalogue = findSharedData('litellm-model-prices.json', 'the commands of docs/money.md');
const grpcurl = await findGrpcurl();
const skipped = skipNote('the commands of docs/money.md', grpcurl);

let service: MoneyService;
beforeAll(async () => {
  service = await startMoneyService();
});
afterAll(() => service.close());

/** An amount in dollars, as nanos: of $0.000215, 215000n. */
function nanosOf(dollars: string): bigint {
  const [whole = '', decimals = ''] = dollars.replace('$', '').split('.');
  return BigInt(whole + decimals.padEnd(9, '0'));
}

/** The lines of the table that follows a command on the page: kind, quantity, rate, cost; last of all the sum. */
function tableAfter(command: string): string[][] {
  const [, after = ''] = page.split(command);
  const [rows = ''] = after.slice(after.indexOf('\n| ---')).split('\n\n');
  return rows
    .trim()
    .split('\n')
    .slice(1)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The table after an estimate says what the service computed. */
function expectTable(command: string, printed: readonly string[]): void {
  const { cost } = JSON.parse(printed.join('\n')) as {
    cost: {
      amount: { nanos: string };
      lines: Record<'kind' | 'quantity' | 'nanosPerMillion' | 'nanos', string>[];
    };
  };
  const table = tableAfter(command);
  expect(nanosOf(table.pop()?.[3] ?? '')).toBe(BigInt(cost.amount.nanos));
  expect(
    table.map(([kind, quantity = '', rate = '', nanos = '']) => ({
      kind: `USAGE_KIND_${kind}`,
      quantity: quantity.replaceAll(',', ''),
      nanosPerMillion: String(nanosOf(rate)),
      nanos: String(nanosOf(nanos)),
    })),
  ).toEqual(cost.lines);
}

(catalogue === undefined || grpcurl.path === undefined ? test.skip : test)(
  `every command of docs/money.md prints what the page says${skipped}`,
  async () => {
    const checkout = new Checkout(service, grpcurl.path);
    symlinkSync(catalogue ?? '', checkout.path('model_prices_and_context_window.json'));
    await checkout.expectPage(page, 11, {
      after: (command, printed) => {
        if (command.endsWith('/EstimateCost')) expectTable(command, printed);
      },
    });
  },
  180_000,
);
