/** docs/export.md: every command prints what the page says, and the page names every column. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { CHARGE_COLUMNS } from '../../src/cli/export/charge-columns.ts';
import { FOCUS_COLUMNS } from '../../src/cli/export/focus/focus-columns.ts';
import { USAGE_FOCUS_COLUMNS } from '../../src/cli/export/usage/focus.ts';
import { Checkout, readPage } from './support/docs-page.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const page = readPage('export.md');

let service: MoneyService;
beforeAll(async () => {
  service = await startMoneyService();
});
afterAll(() => service.close());

test('every command of docs/export.md prints what the page says', async () => {
  await new Checkout(service).expectPage(page, 6);
});

test('the page names every column', () => {
  const isNamed = (name: string): boolean =>
    page.includes(`\`${name}\``) ||
    (/^(audio|image)_/.test(name) && page.includes(`\`${name.split('_')[0]}_…\``));
  expect(CHARGE_COLUMNS.map(({ name }) => name).filter((name) => !isNamed(name))).toEqual([]);
  const isOther = (name: string): boolean => page.includes(`\`${name.replace('x_', '')}\``);
  expect(FOCUS_COLUMNS.map(([name]) => name).filter((name) => !isNamed(name) && !isOther(name))).toEqual([]);
  const ofSums = USAGE_FOCUS_COLUMNS.map(([name]) => name).filter((name) => name.startsWith('x_'));
  expect(ofSums.filter((name) => !isNamed(name))).toEqual([]);
});
