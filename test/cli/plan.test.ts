/** What an import shows, asks and refuses before it sends anything, and that its advice is safe to follow. */

import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Charge } from '../../generated/charge/v1/charge.ts';
import { agree } from '../../src/cli/confirm.ts';
import { Harness, usage } from './support/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());
beforeEach(() => harness.service.charges.clear());

/** Prompt and completion tokens of what is stored, in its order. */
const counts = () => stored(({ promptTokens, completionTokens }) => `${promptTokens}+${completionTokens}`);
const stored = <T>(of: (charge: Charge) => T): T[] => [...harness.service.charges.values()].map(of);

/** A file that is refused with an advice, the flags of the advice as it is printed, and what is stored after it. */
interface Advice {
  readonly text: string[];
  readonly flags?: string[];
  /** Finds the advice: each match is one flag, or a flag and its value. */
  readonly advice: RegExp;
  /** What a person puts in for the words in capitals. */
  readonly fill?: Readonly<Record<string, string>>;
  readonly code?: number;
  readonly stored: () => unknown;
  readonly right: unknown;
}

const T = 'time,model';
const ADVICE: Readonly<Record<string, Advice>> = {
  'no completion count': {
    text: [`${T},input_tokens`, '2026-09-01,m,5000'],
    advice: /no column holds completion_tokens.*?(--set completion_tokens=0)/,
    stored: counts,
    right: ['5000+0'],
  },
  'a prompt count of an unknown name': {
    text: [`${T},tokens_in,output_tokens`, '2026-09-01,m,5000,20'],
    advice: /no column holds prompt_tokens.*?(--map prompt_tokens=COLUMN)/,
    fill: { COLUMN: 'tokens_in' },
    stored: counts,
    right: ['5000+20'],
  },
  'a prompt count in two columns': {
    text: [`${T},text in,image in,output_tokens`, '2026-09-01,m,5000,7,20'],
    advice: /no column holds prompt_tokens.*?(--map prompt_tokens=A\+B)/,
    fill: { A: 'text in', B: 'image in' },
    stored: counts,
    right: ['5007+20'],
  },
  'only a total': {
    text: [`${T},total_tokens,up,down`, '2026-09-01,m,5020,5000,20'],
    advice: /(--map prompt_tokens=COLUMN)[^]*?(--map completion_tokens=OTHER|--map completion_tokens=COLUMN)/,
    fill: {
      'prompt_tokens=COLUMN': 'prompt_tokens=up',
      'completion_tokens=COLUMN': 'completion_tokens=down',
    },
    stored: counts,
    right: ['5000+20'],
  },
  'no model': {
    text: ['time,input_tokens,output_tokens', '2026-09-01,1,2'],
    advice: /no column holds the model.*?(--set model=NAME)/,
    fill: { NAME: 'gpt-5.2' },
    stored: () => stored(({ model }) => model),
    right: ['gpt-5.2'],
  },
  'no time': {
    text: ['model,input_tokens,output_tokens', 'm,1,2'],
    advice: /no column holds the time of usage.*?(--set usage_time=TIME)/,
    fill: { TIME: '2026-09-01' },
    stored: () => stored(({ usageTime }) => usageTime?.seconds),
    right: [1_788_220_800n],
  },
  'no time, and the time of the import is right': {
    text: ['model,input_tokens,output_tokens', 'm,1,2'],
    advice: /no column holds the time of usage[^]*?(--yes)/,
    stored: () => stored(({ usageTime }) => usageTime),
    right: [undefined],
  },
  'cached tokens that may be inside': {
    text: [
      `${T},input_tokens,output_tokens,cache_read_tokens,cache_write_tokens`,
      '2026-09-01,m,5001,301,1025,513',
    ],
    advice: /if they are inside, (--map prompt_tokens="[^"]+")/,
    stored: counts,
    right: ['5001+301'],
  },
  'cached tokens that may stand beside': {
    text: [
      `${T},input_tokens,output_tokens,cache_read_tokens,cache_write_tokens`,
      '2026-09-01,m,5001,301,1025,513',
    ],
    advice: /if they stand beside it, (--map prompt_tokens="[^"]+")/,
    stored: counts,
    right: ['6539+301'],
  },
  'reasoning tokens that may stand beside': {
    text: [`${T},input_tokens,output_tokens,reasoning_tokens`, '2026-09-01,m,100,20,15'],
    advice: /if they stand beside it, (--map completion_tokens="[^"]+")/,
    stored: counts,
    right: ['100+35'],
  },
  'a column of tokens that nothing knows': {
    text: [`${T},input_tokens,output_tokens,image_tokens`, '2026-09-01,m,100,20,15'],
    advice: /not recorded: image_tokens.*?(--map prompt_tokens=A\+B)/,
    fill: { A: 'input_tokens', B: 'image_tokens' },
    stored: counts,
    right: ['115+20'],
  },
  'a total that says more than the counts': {
    text: [`${T},prompt_tokens,completion_tokens,total_tokens,image`, '2026-09-01,m,10,1,511,500'],
    advice: /total that is larger than their counts.*?(--map prompt_tokens=A\+B)/,
    fill: { A: 'prompt_tokens', B: 'image' },
    stored: counts,
    right: ['510+1'],
  },
  'sums of calls without an id': {
    text: [`${T},input_tokens,output_tokens,Requests`, '2026-09-01,m,10,1,3', '2026-09-01,n,10,1,1'],
    advice: /column Requests counts calls.*?(--request-id-column A\+B)/,
    fill: { A: 'time', B: 'model' },
    stored: counts,
    right: ['10+1', '10+1'],
  },
  'too many labels': {
    text: [
      `${T},input_tokens,output_tokens,${Array.from({ length: 17 }, (_, index) => `c${index}`).join(',')}`,
      `2026-09-01,m,1,2,${Array.from({ length: 17 }, (_, index) => `v${index}`).join(',')}`,
    ],
    flags: ['--labels'],
    advice: /17 columns would become labels.*?(--labels A,B)/,
    fill: { A: 'c3', B: 'c16' },
    stored: () => stored(({ labels }) => [...labels]),
    right: [
      [
        ['c3', 'v3'],
        ['c16', 'v16'],
      ],
    ],
  },
  'a label that is too long': {
    text: [`${T},input_tokens,output_tokens,team,prompt`, `2026-09-01,m,1,2,a,${'x'.repeat(256)}`],
    flags: ['--labels'],
    advice: /prompt has more; .*?(--labels A,B)/,
    fill: { 'A,B': 'team' },
    stored: () => stored(({ labels }) => [...labels]),
    right: [[['team', 'a']]],
  },
  'ids that are used twice, and the content decides': {
    text: [
      `${T},input_tokens,output_tokens,request_id`,
      '2026-09-01,m,1,2,r',
      '2026-09-01,m,3,4,r',
      '2026-09-01,m,3,4,s',
    ],
    advice: /the first in line 3, have the id of an earlier row[^]*(--yes)/,
    stored: counts,
    right: ['1+2', '3+4', '3+4'],
  },
  'ids that are used twice, and the ids decide': {
    text: [
      `${T},input_tokens,output_tokens,request_id`,
      '2026-09-01,m,1,2,r',
      '2026-09-01,m,3,4,r',
      '2026-09-01,m,3,4,s',
    ],
    advice: /the first in line 3, have the id of an earlier row.*?(--request-id-column request_id)/,
    code: 1,
    stored: counts,
    right: ['1+2', '3+4'],
  },
  'times that count from 0': {
    text: ['Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type', '5,m,1,2,3,API log'],
    advice: /count from 0: (--set usage_time=TIME)/,
    fill: { TIME: '2026-09-01' },
    stored: () => stored(({ usageTime }) => usageTime?.seconds),
    right: [1_788_220_805n],
  },
};

test.each(Object.entries(ADVICE))(
  'refused, and the advice is right: %s',
  async (_, { text, flags = [], advice, fill = {}, ...right }) => {
    const file = harness.write('usage.csv', text);
    const refused = await harness.import(file, ...flags);
    expect({ code: refused.code, ...refused.json }).toMatchObject({ code: 2, status: 'refused' });
    expect(harness.service.charges.size).toBe(0);
    const found = advice.exec(refused.stderr);
    expect(found?.slice(1) ?? refused.stderr).not.toContain('Nothing');
    const filled = (found?.slice(1) ?? []).map((flag) =>
      Object.entries(fill).reduce((so, [word, value]) => so.replace(word, value), flag.replaceAll('"', '')),
    );
    const followed = filled.flatMap((flag) => {
      const [name = '', ...value] = flag.split(' ');
      return value.length > 0 ? [name, value.join(' ')] : [name];
    });
    const { code, stderr } = await harness.import(
      file,
      ...(followed.includes('--labels') ? [] : flags),
      ...followed,
    );
    expect({ code, stderr: code === (right.code ?? 0) ? '' : stderr }).toEqual({
      code: right.code ?? 0,
      stderr: '',
    });
    expect(right.stored()).toEqual(right.right);
  },
);

test.each([
  ['2026-09-01,m,,2,openai', /prompt_tokens is missing in this row.*?(--set) (prompt_tokens=0)/, '0+2'],
  ['2026-09-01,,3,2,openai', /model is missing in this row.*?(--set) (model=NAME)/, '3+2'],
  [',m,3,2,openai', /usage_time is empty; (--set) (usage_time=TIME)/, '3+2'],
  ['2026-09-01,m,3,2,shop.ai', /provider "shop.ai" is not.*?(--other-providers)()/, '3+2'],
])('a row is rejected, and after the advice only that row is new: %s', async (row, advice, right) => {
  const file = harness.write('usage.csv', [
    `${T},prompt_tokens,completion_tokens,provider`,
    '2026-09-01,m,1,1,openai',
    row,
  ]);
  const first = await harness.import(file);
  expect({ code: first.code, ...first.json }).toMatchObject({ code: 1, created: 1, rejected: 1 });
  const [, flag = '', value = ''] = advice.exec(first.stderr) ?? [];
  const flags = [flag, value.replace('TIME', '2026-09-01')].filter((part) => part !== '');
  expect(await harness.import(file, ...flags)).toMatchObject({ code: 0, json: { created: 1, replayed: 1 } });
  expect(counts()).toEqual(['1+1', right]);
});

test('columns with the names of the contract are no proto3 JSON: an empty count is not 0', async () => {
  const file = harness.write('usage.csv', [
    'user_profile,provider,charge_type,model,prompt_tokens,completion_tokens,usage_time',
    'alice,openai,completion,m,1,2,2026-09-01',
    'alice,openai,completion,m,,5,2026-09-01',
  ]);
  expect((await harness.import(file)).json).toMatchObject({ created: 1, rejected: 1 });
});

test('the plan tells layout, columns, ids, charges and sums before anything is sent, and needs no --yes without doubts', async () => {
  const file = harness.write('usage.csv', usage(1200));
  const { code, stderr, json } = await harness.import(file);
  expect(code).toBe(0);
  for (const part of [
    'user_profile, prompt_tokens, completion_tokens, model, usage_time',
    'provider=PROVIDER_OTHER (default)',
    'request ids: the content of each row',
    'first 1,000 rows: 1,000 charges; 500,500 prompt + 1,001,000 completion tokens',
    '"promptTokens":"3"',
    '"usageTime":"2024-01-01T00:00:00.000000100Z"',
  ])
    expect(stderr).toContain(part);
  expect(stderr.match(/^ {4}import:/gm)).toHaveLength(3);
  expect(json['plan']).toMatchObject({
    layout: null,
    first_rows: { charges: 1000, prompt_tokens: '500500' },
  });
});

test('the advice on token columns that are not recorded says which flag fits which meaning', async () => {
  harness.service.charges.clear();
  const usage = { input_tokens: 11, cache_read_input_tokens: 90, output_tokens: 5 };
  const file = harness.write('batch.jsonl', [
    JSON.stringify({ time: '2026-09-01', result: { message: { model: 'm', usage } } }),
  ]);
  const at = 'result.message.usage';
  const flags = ['--map', `completion_tokens=${at}.output_tokens`, '--map', 'model=result.message.model'];
  const { code, stderr } = await harness.import(file, ...flags, '--map', `prompt_tokens=${at}.input_tokens`);
  expect(code).toBe(2);
  expect(stderr).toContain('if a count does not include one, --map prompt_tokens=A+B adds it; if it does,');
  const sum = `prompt_tokens=${at}.input_tokens+${at}.cache_read_input_tokens`;
  expect(await harness.import(file, ...flags, '--map', sum)).toMatchObject({
    code: 0,
    json: { created: 1, prompt_tokens: '101' },
  });
});

test('rows that are stored under other ids are noticed, because they would be charged again', async () => {
  const rows = ['2026-09-01 10:00:00,m,1,2', '2026-09-01 10:00:01,m,3,4'];
  const plain = harness.write('plain.csv', [`${T},prompt_tokens,completion_tokens`, ...rows]);
  const withIds = harness.write('ids.csv', [
    `${T},prompt_tokens,completion_tokens,request_id`,
    ...rows.map((row, index) => `${row},r${index}`),
  ]);
  await harness.import(plain);
  const { code, stderr } = await harness.import(withIds);
  expect({ code, size: harness.service.charges.size }).toEqual({ code: 2, size: 2 });
  expect(stderr).toContain(
    'of 2 rows whose request ids are new, 2 look like charges that are stored already',
  );
  expect(await harness.import(withIds, '--yes')).toMatchObject({ code: 0, json: { created: 2 } });
});

test('a spreadsheet that cut the seconds off is noticed if the file has no ids', async () => {
  const header = `${T},prompt_tokens,completion_tokens`;
  await harness.import(
    harness.write('a.csv', [header, '2026-09-01 10:00:07.5,m,1,2', '2026-09-01 10:00:31,m,3,4']),
  );
  const { code, stderr } = await harness.import(
    harness.write('b.csv', [header, '2026-09-01 10:00,m,1,2', '2026-09-01 10:00,m,3,4']),
  );
  expect(code).toBe(2);
  expect(stderr).toContain('look like charges that are stored already');
});

test('short numbers are no ids by default, and the note says how they become ids', async () => {
  const text = ['id,time,model,prompt_tokens,completion_tokens', '1,2026-09-01,m,1,2', '2,2026-09-01,m,3,4'];
  const file = harness.write('usage.csv', text);
  const { stderr } = await harness.import(file, '--dry-run');
  const [, flag = '', value = ''] = /(--request-id-column) (\w+)/.exec(stderr) ?? [];
  await harness.import(file, flag, value);
  expect([...harness.service.charges.keys()]).toEqual(['1', '2']);
});

test('a sum of calls that grew is not charged again after the advice', async () => {
  const report = (tokens: number) => [
    `${T},input_tokens,output_tokens,requests`,
    `2026-09-01,m,${tokens},1,3`,
  ];
  const flags = ['--request-id-column', 'time+model'];
  await harness.import(harness.write('a.csv', report(100)), ...flags);
  const grown = await harness.import(harness.write('b.csv', report(700)), ...flags);
  expect(grown).toMatchObject({ code: 1, json: { created: 0, conflicts: 1 } });
  expect(counts()).toEqual(['100+1']);
});

test('if no row can be read, the reason is told and no columns are missed', async () => {
  const { code, stderr } = await harness.import(harness.write('usage.jsonl', ["{'model': 'm'}"]));
  expect(code).toBe(2);
  expect(stderr).toContain('no row can be read; the first is in line 1: not JSON');
  expect(stderr).not.toContain('no column holds');
});

test('counts that a known layout leaves out stand in the plan', async () => {
  const text = ['TIMESTAMP,ContextTokens,GeneratedTokens,cached_tokens_seen', '2026-09-01,1,2,9'];
  const { stderr } = await harness.import(harness.write('usage.csv', text), '--set', 'model=m');
  expect(stderr).toContain('columns that are not recorded: cached_tokens_seen');
});

test('a guess of provider or charge type whose column has no value that fits is dropped', async () => {
  const text = [`${T},input_tokens,output_tokens,usage_type,vendor`, '2026-09-01,m,1,2,standard,shop'];
  const { code, stderr } = await harness.import(harness.write('usage.csv', text));
  expect(code).toBe(0);
  expect(stderr).toContain('no column was guessed for: provider, charge_type');
});

test('--dry-run sends nothing and tells what the import then does', async () => {
  const rows = [
    '2026-09-01 10:00:00,m,1,1,a,r-stored',
    '2026-09-01 10:00:01,m,2,1,a,r-differs',
    '2026-09-01 10:00:02,m,3,1,a,r-new',
    '2026-09-01 10:00:02,m,3,1,a,r-new',
    '2026-09-01 10:00:03,m,x,1,a,r-bad',
    `2026-09-01 10:00:04,m,4,1,${'u'.repeat(256)},r-long`,
    '2026-09-01 10:00:05,m,5,1,a,None',
  ];
  const header = `${T},prompt_tokens,completion_tokens,user,request_id`;
  await harness.import(harness.write('first.csv', [header, ...rows.slice(0, 2)]));
  const changed = rows.map((row) => row.replace('m,2,1', 'm,2,9'));
  const file = harness.write('usage.csv', [header, ...changed]);
  const dry = await harness.import(file, '--dry-run');
  expect(harness.service.charges.size).toBe(2);
  const real = await harness.import(file);
  const expected = { created: 2, replayed: 2, rejected: 3, conflicts: 1, rows: 7 };
  expect(dry).toMatchObject({ code: 1, json: { status: 'dry_run', ...expected } });
  expect(real).toMatchObject({ code: 1, json: { status: 'rejected', ...expected } });
  expect(dry.json['prompt_tokens']).toBe(real.json['prompt_tokens']);
  expect(dry.stderr).toContain('would be rejected: request id r-differs belongs to charge');
  expect(harness.service.charges.size).toBe(4);
});

test.each([
  ['y\n', true],
  ['yes\n', true],
  ['\n', false],
  ['no\n', false],
])('on a terminal the answer %j decides', async (answer, isYes) => {
  const terminal = { input: new PassThrough(), output: new PassThrough() };
  const asked = agree('Record these charges?', false, new AbortController().signal, terminal);
  terminal.input.write(answer);
  if (isYes) await asked;
  else await expect(asked).rejects.toThrow('the answer was not y');
  expect(String(terminal.output.read())).toContain('Record these charges? [y/N]');
});
