/** docs/money.md: every command prints what the page says. */

import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { findSharedData } from '../support/shared-data.ts';
import { findGrpcurl, ROOT, skipNote, startTool } from '../support/tools.ts';
import { PrintedIds, readConsoleBlocks } from './support/console-blocks.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const ADDRESS = '127.0.0.1:50051';
const page = readFileSync(join(ROOT, 'docs/money.md'), 'utf8');
const catalogue = findSharedData('litellm-model-prices.json', 'the commands of docs/money.md');
const grpcurl = await findGrpcurl();
const skipped = skipNote('the commands of docs/money.md', grpcurl);

let service: MoneyService;
beforeAll(async () => {
  service = await startMoneyService();
});
afterAll(() => service.close());

/** A directory in which the commands work as in a checkout. */
function prepareCheckout(): void {
  const at = (name: string): string => join(service.directory, name);
  symlinkSync(catalogue ?? '', at('model_prices_and_context_window.json'));
  symlinkSync(grpcurl.path ?? '', at('grpcurl'));
  // `npx charge` and `npx node`, without npm's second of start.
  const charge = `exec '${process.execPath}' '${join(ROOT, 'src/cli/charge.js')}' "$@"`;
  const cases = `charge) shift; ${charge};;\nnode) shift; exec '${process.execPath}' "$@";;`;
  writeFileSync(at('npx'), `#!/bin/sh\ncase $1 in\n${cases}\nesac\n`);
  chmodSync(at('npx'), 0o755);
}

/** What a command prints, as lines; without progress and plans, which go to standard error. */
async function run(command: string): Promise<string[]> {
  const script = 'export PATH="$1:$PATH" LISTEN="$2"; eval "$3"';
  const { directory, address } = service;
  const args = [
    '-c',
    script,
    'bash',
    directory,
    address,
    command.replaceAll(ADDRESS, address).replaceAll(' examples/', ` ${ROOT}examples/`),
  ];
  const { stdout } = await startTool('bash', args, { cwd: directory }).ended;
  // At the default address, which the page is about, commands print no flag for it.
  const text = stdout.replaceAll(` --address ${address}`, '').replaceAll(address, ADDRESS).trimEnd();
  return text === '' ? [] : text.split('\n');
}

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
    prepareCheckout();
    const commands = readConsoleBlocks(page);
    expect(commands.length).toBeGreaterThan(10);
    const ids = new PrintedIds();
    for (const { command, output } of commands) {
      const printed = await run(ids.fill(command));
      if (!ids.matches(output, printed)) expect([command, ...printed]).toEqual([command, ...output]);
      if (command.endsWith('/EstimateCost')) expectTable(command, printed);
    }
  },
  180_000,
);
