/** `charge prices import`, against a service in memory. */

import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { status as codes } from '@grpc/grpc-js';
import { agree } from '../../../src/cli/confirm.ts';
import { basisText, describeKey } from '../../../src/cli/prices/price-text.ts';
import { timeText } from '../../../src/cli/time.ts';
import { waitFor } from '../../support/wait-for.ts';
import { CATALOGUE, hasData, readCases } from './support/catalogue.ts';
import { PriceHarness } from './support/harness.ts';

let harness: PriceHarness;

beforeEach(async () => {
  harness = await PriceHarness.open();
});

afterEach(() => harness.close());

const HEADER = 'provider,model,currency_code,input,output';

/** A catalogue with one model at this price. */
function catalogue(price: string, more: Readonly<Record<string, object>> = {}): string {
  const fields = `"litellm_provider":"openai","input_cost_per_token":${price},"output_cost_per_token":1e-5`;
  const others = Object.entries(more).map(
    ([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  return `{"m":{${fields}}${others.join('')}}`;
}

function stored(): string[] {
  return harness.service.versions.map(
    ({ key, ...price }) =>
      `${key ? describeKey(key) : ''} ${timeText(price.effectiveTime).slice(0, 4)} ${basisText({ key, ...price })}`,
  );
}

const thisYear = String(new Date().getUTCFullYear());

describe('what is added', () => {
  test('the first price of a key is in force from the beginning, a changed one from now on', async () => {
    await harness.run('import', harness.write('f.json', catalogue('2e-6')));
    const { code, json } = await harness.run(
      'import',
      harness.write('f.json', catalogue('3e-6')),
      '--yes',
      '--json',
    );
    expect(code).toBe(0);
    expect(json).toMatchObject({ status: 'imported', created: 1, new: 0, changed: 1, unchanged: 0 });
    expect(stored()).toEqual([
      'openai m 0001 USD input 2, output 10',
      `openai m ${thisYear} USD input 3, output 10`,
    ]);
  });

  test('a second run adds nothing', async () => {
    const file = harness.write('f.json', catalogue('2e-6'));
    await harness.run('import', file);
    const { json } = await harness.run('import', file, '--json');
    expect(json).toMatchObject({ created: 0, unchanged: 1, additions: [] });
    expect(harness.service.batches).toBe(1);
  });

  test('a price that comes back after another one is a version of its own', async () => {
    for (const price of ['2e-6', '3e-6', '2e-6', '3e-6'])
      await harness.run('import', harness.write('f.json', catalogue(price)), '--yes');
    expect(stored()).toHaveLength(4);
  });

  test('--effective-time says when changed prices come into force', async () => {
    await harness.run('import', harness.write('f.json', catalogue('2e-6')));
    const next = String(Number(thisYear) + 1);
    const more = { n: { litellm_provider: 'openai', input_cost_per_token: 1e-6 } };
    const file = harness.write('g.json', catalogue('3e-6', more));
    await harness.run('import', file, '--yes', '--effective-time', `${next}-01-01`);
    expect(stored().slice(1)).toEqual([
      `openai m ${next} USD input 3, output 10`,
      'openai n 0001 USD input 1',
    ]);
    const again = await harness.run('import', file, '--yes', '--json', '--effective-time', `${next}-01-01`);
    expect(again.json).toMatchObject({ created: 0, unchanged: 2 });
  });

  test('a change in the past needs --allow-past, before anything is sent', async () => {
    await harness.run('import', harness.write('f.csv', HEADER, 'openai,a,USD,1,2'));
    const file = harness.write(
      'g.csv',
      `${HEADER},effective_time`,
      'openai,a,USD,2,2,2020-01-01',
      'openai,b,USD,2,2,2020-01-01',
    );
    const refused = await harness.run('import', file, '--yes');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      'line 2: openai a has version 1, and 2020-01-01T00:00:00Z is in the past',
    );
    expect(stored()).toHaveLength(1);
    expect((await harness.run('import', file, '--yes', '--allow-past')).code).toBe(0);
    expect(stored().slice(1)).toEqual([
      'openai a 2020 USD input 2, output 2',
      'openai b 2020 USD input 2, output 2',
    ]);
  });

  test('the versions of a new key may all lie in the past', async () => {
    const file = harness.write(
      'f.csv',
      `${HEADER},effective_time`,
      'openai,a,USD,1,2,2020-01-01',
      'openai,a,USD,3,4,2021-01-01',
    );
    expect((await harness.run('import', file)).code).toBe(0);
    expect((await harness.run('import', file, '--json')).json).toMatchObject({ created: 0, unchanged: 2 });
    expect(stored()).toHaveLength(2);
  });

  test('--only takes the prices of some providers, and a name without any is a fault', async () => {
    const file = harness.write(
      'f.csv',
      HEADER,
      'openai,a,USD,1,2',
      'anthropic,b,USD,1,2',
      'cohere,c,USD,1,2',
    );
    expect(
      (await harness.run('import', file, '--only', 'PROVIDER_OPENAI,cohere', '--json')).json,
    ).toMatchObject({ created: 2 });
    const { code, stderr } = await harness.run('import', file, '--only', 'groq');
    expect(code).toBe(2);
    expect(stderr).toContain('the file has no price of groq');
  });

  test('standard input is read, and one JSON of prices that list printed', async () => {
    await harness.run(
      'import',
      harness.write('f.csv', `${HEADER},note`, 'openai,a,USD,0.000000001,2,"x, y"'),
    );
    const listed = await harness.run('list', '--json');
    const { child, done } = harness.spawn('import', '-', '--json');
    child.stdin.end(listed.stdout);
    const { code, stdout } = await done;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ format: 'json', created: 0, unchanged: 1 });
  });
});

describe('before prices in force change', () => {
  beforeEach(async () => {
    await harness.run('import', harness.write('f.json', catalogue('2e-6')));
  });

  test('it asks; without a terminal it needs --yes', async () => {
    const { code, stderr } = await harness.run('import', harness.write('g.json', catalogue('3e-6')));
    expect(code).toBe(2);
    expect(stderr).toContain('openai m: USD input 2, output 10 → USD input 3, output 10');
    expect(stderr).toContain('--yes');
    expect(stored()).toHaveLength(1);
  });

  test('--dry-run shows new, changed, unchanged and missing ones, and adds nothing', async () => {
    const two = { n: { litellm_provider: 'openai', input_cost_per_token: 1e-6 } };
    await harness.run('import', harness.write('h.json', catalogue('2e-6', two)));
    const other = harness.write('i.csv', HEADER, 'openai,mine,USD,1,2');
    await harness.run('import', other);
    const three = { o: { litellm_provider: 'openai', input_cost_per_token: 1e-6 } };
    const file = harness.write('g.json', catalogue('3e-6', three));
    const { code, json } = await harness.run('import', file, '--dry-run', '--json');
    expect(code).toBe(0);
    expect(json).toMatchObject({
      status: 'dry_run',
      created: 0,
      new: 1,
      changed: 1,
      unchanged: 0,
      additions: [
        {
          key: 'openai m',
          old: 'USD input 2, output 10',
          old_version: '1',
          new: 'USD input 3, output 10',
          effective_time: null,
        },
        { key: 'openai o', old: null, new: 'USD input 1', effective_time: '0001-01-01T00:00:00Z' },
      ],
      not_in_file: [{ key: 'openai n', version: '2' }],
    });
    const text = await harness.run('import', file, '--dry-run');
    expect(text.stdout).toContain('openai m: USD input 2, output 10 → USD input 3, output 10');
    expect(text.stdout).toMatch(/not in this file[^]*openai n/);
    expect(text.stdout).not.toContain('mine');
    expect(stored()).toHaveLength(3);
  });
});

test('a catalogue leaves prices alone that did not come from one', async () => {
  await harness.run('import', harness.write('f.csv', HEADER, 'openai,m,USD,1,2', 'openai,n,USD,1,2'));
  const same = { n: { litellm_provider: 'openai', input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 } };
  const file = harness.write('f.json', catalogue('2e-6', same));
  const { json } = await harness.run('import', file, '--yes', '--json');
  expect(json).toMatchObject({
    created: 0,
    unchanged: 1,
    kept: [{ key: 'openai m', in_force: 'USD input 1, output 2', in_file: 'USD input 2, output 10' }],
  });
  expect((await harness.run('import', file, '--dry-run')).stdout).toMatch(/kept +1[^]*Kept:\n {2}openai m: /);
  // A file of our own may always say what it says.
  const own = harness.write('g.csv', HEADER, 'openai,m,USD,3,4');
  expect((await harness.run('import', own, '--yes', '--json')).json).toMatchObject({ created: 1, kept: [] });
});

describe('the question', () => {
  const ask = (answer: string, interrupt = new AbortController().signal): Promise<void> => {
    const input = new PassThrough();
    input.end(answer);
    return agree('Sure?', false, interrupt, { input, output: new PassThrough() });
  };

  test.each(['y\n', 'Yes\n'])('%j agrees', async (answer) => {
    await expect(ask(answer)).resolves.toBeUndefined();
  });

  test.each(['n\n', '\n', 'yo\n'])('%j does not', async (answer) => {
    await expect(ask(answer)).rejects.toThrow('the answer was not y');
  });

  test('Ctrl-C ends it', async () => {
    const input = new PassThrough();
    const asked = agree('Sure?', false, AbortSignal.abort(), { input, output: new PassThrough() });
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('when the service does not take everything', () => {
  const rows = Array.from({ length: 600 }, (_, index) => `openai,m${index},USD,1,2`);

  test('a refused batch is named with the line of its price, and the batches before it stay', async () => {
    harness.service.refuses = {
      afterBatches: 1,
      refusal: { code: codes.FAILED_PRECONDITION, reason: 'ALIAS_CHAIN', metadata: { index: '3' } },
    };
    const { code, json } = await harness.run('import', harness.write('f.csv', HEADER, ...rows), '--json');
    expect(code).toBe(1);
    expect(json).toMatchObject({
      status: 'refused',
      created: 250,
      error: expect.stringMatching(/^line 255: .*ALIAS_CHAIN/),
    });
    harness.service.refuses = undefined;
    const again = await harness.run('import', harness.write('f.csv', HEADER, ...rows), '--json');
    expect(again.json).toMatchObject({ status: 'imported', created: 350, unchanged: 250 });
  });

  test('the limit of versions is no reason to try again', async () => {
    const metadata = { limit: 'price_versions', index: '0' };
    const refusal = { code: codes.RESOURCE_EXHAUSTED, reason: 'TENANT_LIMIT_EXCEEDED', metadata };
    harness.service.refuses = { afterBatches: 0, refusal };
    const { code, json } = await harness.run('import', harness.write('f.csv', HEADER, ...rows), '--json');
    expect(code).toBe(1);
    expect(json).toMatchObject({ status: 'refused', created: 0 });
  });

  test('a lost answer is asked for again, and nothing is added twice', async () => {
    harness.service.refuses = {
      afterBatches: 1,
      refusal: { code: codes.UNAVAILABLE, reason: 'DATABASE_UNAVAILABLE' },
    };
    harness.service.beforeAnswer = () => {
      if (harness.service.batches === 1) setTimeout(() => (harness.service.refuses = undefined), 50);
    };
    const { json } = await harness.run('import', harness.write('f.csv', HEADER, ...rows), '--json');
    expect(json).toMatchObject({ status: 'imported', created: 600 });
    expect(stored()).toHaveLength(600);
  });

  test('Ctrl-C ends after the batch in progress; the next run adds the rest', async () => {
    let arrived = 0;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    harness.service.beforeAnswer = () => {
      arrived += 1;
      return arrived === 2 ? released : undefined;
    };
    const file = harness.write('f.csv', HEADER, ...rows);
    const { child, done } = harness.spawn('import', file, '--json');
    await waitFor('the second batch', () => arrived === 2);
    child.kill('SIGINT');
    const said = new Promise<void>((resolve) =>
      child.stderr.on('data', (text: string) => text.includes('Stopping') && resolve()),
    );
    await said;
    release();
    const { code, stdout } = await done;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'interrupted', created: 500 });
    expect((await harness.run('import', file, '--json')).json).toMatchObject({
      created: 100,
      unchanged: 500,
    });
  });

  test('a service that is not there: exit status 3', async () => {
    harness.service.stop();
    const file = harness.write('f.csv', HEADER, 'openai,a,USD,1,2');
    const { code, stderr, json } = await harness.run('import', file, '--json');
    expect(code).toBe(3);
    expect(json).toMatchObject({ status: 'aborted' });
    expect(stderr).toMatch(/no gRPC service answers.*npm start/);
  }, 10_000);
});

test('wrong flags are all named', async () => {
  const { code, stderr } = await harness.run('import', '--search-size', 'huge', '--effective-time', 'soon');
  expect(code).toBe(2);
  expect(stderr).toMatch(/one FILE is needed[^]*--search-size: huge[^]*--effective-time: "soon"/);
});

(hasData ? test : test.skip)('case P10: the catalogue, imported twice', async () => {
  const expected = readCases().find(({ id }) => id === 'P10')?.expected;
  const { second_run, ...first } = { ...expected };
  const one = await harness.run('import', CATALOGUE, '--json');
  expect(one.json).toMatchObject(first);
  const two = await harness.run('import', CATALOGUE, '--json');
  expect(two.json).toMatchObject(second_run as object);
  expect(harness.service.versions).toHaveLength(1517);
});

test.each([
  ['only a header', [HEADER], 'has no price'],
  ['one price that is not in an array', ['{"key":{"model":"a"}}'], 'put prices of your own into an array'],
  ['an unknown currency', [HEADER, 'openai,a,XXQ,1,2'], 'currency_code: is not a currency such as USD\n'],
])('%s is refused, and nothing is added', async (_, lines, text) => {
  const { code, stderr } = await harness.run('import', harness.write('prices.csv', ...lines));
  expect(code).toBe(2);
  expect(stderr).toContain(text);
  expect(harness.service.versions).toEqual([]);
});

test('a price of every model is shown, because the model may have been forgotten', async () => {
  const file = harness.write('prices.csv', HEADER, 'openai,,USD,1,2', 'openai,a,USD,1,2');
  const { stdout } = await harness.run('import', file, '--dry-run');
  expect(stdout).toMatch(/New, for every model without a price of its own:\n {2}line 2: openai[^\n]*\n$/);
});
