/** The program around its subcommands, as a person starts it. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Harness, ROOT, usage } from './support/harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await Harness.open();
});

afterEach(() => harness.close());

test('without a subcommand the program lists them, with exit status 2', async () => {
  const { code, stderr } = await harness.spawn('src/cli/charge.js').done;
  expect(code).toBe(2);
  expect(stderr).toContain('record the usage in a file');
});

test('an unknown subcommand is refused with exit status 2, and the one that was probably meant is named', async () => {
  const { code, stderr } = await harness.spawn('src/cli/charge.js', 'improt').done;
  expect(code).toBe(2);
  expect(stderr).toMatch(/improt[^]*import\?/);
});

test('an import goes on when nobody reads its output any more', async () => {
  const file = harness.write('usage.csv', usage(3));
  const started = harness.start(file, '--yes');
  started.child.stdout.destroy();
  started.child.stderr.destroy();
  expect((await started.done).code).toBe(0);
  expect(harness.service.charges.size).toBe(3);
});

test.each([
  ['npx', '--offline', 'charge', 'import'],
  ['npm', 'run', '--silent', 'import', '--'],
])('%s %s starts the import in the checkout', async (program, ...args) => {
  const cache = mkdtempSync(join(tmpdir(), 'npm-cache-'));
  const file = harness.write('usage.csv', usage(3));
  try {
    // As in a shell: without what the npm that runs the tests has set, such as the checkout's own Node in PATH.
    const env = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS)/i.test(name));
    const path = process.env['PATH']
      ?.split(delimiter)
      .filter((folder) => !folder.endsWith('node_modules/.bin'));
    const { stdout } = await promisify(execFile)(program, [...args, file, '--json'], {
      cwd: ROOT,
      env: {
        ...Object.fromEntries(env),
        PATH: path?.join(delimiter),
        npm_config_cache: cache,
        LISTEN: harness.service.address,
      },
    });
    expect(JSON.parse(stdout)).toMatchObject({ created: 3 });
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
});
