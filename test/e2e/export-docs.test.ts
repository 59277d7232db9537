/** docs/export.md: every command prints what the page says, and the page names every column. */

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { CHARGE_COLUMNS } from '../../src/cli/export/charge-columns.ts';
import { FOCUS_COLUMNS } from '../../src/cli/export/focus/focus-columns.ts';
import { USAGE_FOCUS_COLUMNS } from '../../src/cli/export/usage/focus.ts';
import { ROOT, startTool } from '../support/tools.ts';
import { PrintedIds, readConsoleBlocks } from './support/console-blocks.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const page = readFileSync(join(ROOT, 'docs/export.md'), 'utf8');

let service: MoneyService;
beforeAll(async () => {
  service = await startMoneyService();
});
afterAll(() => service.close());

/** What a command prints on standard output, as lines, in a directory where it works as in a checkout. */
async function run(command: string): Promise<string[]> {
  const script = 'export PATH="$1:$PATH" LISTEN="$2"; eval "$3"';
  const args = [
    '-c',
    script,
    'bash',
    service.directory,
    service.address,
    command.replaceAll(' examples/', ` ${ROOT}examples/`),
  ];
  const { stdout } = await startTool('bash', args, { cwd: service.directory }).ended;
  return stdout === '' ? [] : stdout.trimEnd().split('\n');
}

test('every command of docs/export.md prints what the page says', async () => {
  const at = (name: string): string => join(service.directory, name);
  const charge = `exec '${process.execPath}' '${join(ROOT, 'src/cli/charge.js')}' "$@"`;
  writeFileSync(at('npx'), `#!/bin/sh\nshift\n${charge}\n`);
  writeFileSync(at('node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  for (const name of ['npx', 'node']) chmodSync(at(name), 0o755);
  const commands = readConsoleBlocks(page);
  expect(commands.length).toBeGreaterThan(5);
  const ids = new PrintedIds();
  for (const { command, output } of commands) {
    const printed = await run(command);
    if (!ids.matches(output, printed)) expect([command, ...printed]).toEqual([command, ...output]);
  }
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
