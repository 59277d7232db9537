/** Imports that meet faults of the service, wrong flags, or Ctrl-C. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { waitFor } from '../support/wait-for.ts';
import { Harness, rejectsOf, usage } from './support/harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await Harness.open();
});

afterEach(() => harness.close());

test.each([false, true])(
  'a service that stops in the middle and comes back gets every row once (answer lost: %s)',
  async (losesAnswer) => {
    Object.assign(harness.service.faults, { crashAfterRows: 700, losesAnswer });
    const running = harness.start(harness.write('usage.csv', usage(3000)), '--json', '--window', '500');
    await running.says('trying again');
    await harness.service.start(harness.service.port);
    const { code, stdout, stderr } = await running.done;
    const json = JSON.parse(stdout) as Record<string, number>;
    expect(code).toBe(0);
    expect((json['created'] ?? 0) + (json['replayed'] ?? 0)).toBe(3000);
    expect(json['replayed']).toBe(json['replayed_after_resend']);
    expect(json['prompt_tokens']).toBe(String((3000 * 3001) / 2));
    expect(harness.service.charges.size).toBe(3000);
    expect(stderr).toContain('trying again');
  },
);

test.each([true, false])(
  'when the service ends a stream, its answers count and only the other rows are sent again (in order: %s)',
  async (inOrder) => {
    harness.service.faults.endsStream = { afterRows: 100, inOrder };
    const { code, json, stderr } = await harness.run(
      harness.write('usage.csv', usage(300)),
      '--streams',
      '1',
    );
    expect({ code, ...json }).toMatchObject({ code: 0, created: 300, replayed: 0 });
    expect(harness.service.streamsSeen).toBe(2);
    expect(stderr).toContain(inOrder ? 'the service ended the stream' : 'UNAVAILABLE: going away');
  },
);

test('after an overload, of a row or of a stream, the import waits as long as the service asks', async () => {
  harness.service.faults.overloads = { rows: 5, retryAfterMs: 400 };
  harness.service.faults.overloadedStreams = { streams: 1, retryAfterMs: 0 };
  const { code, json } = await harness.run(harness.write('usage.csv', usage(50)));
  expect({ code, ...json }).toMatchObject({ code: 0, created: 50, rejected: 0 });
  expect(Number(json['elapsed_ms'])).toBeGreaterThan(400);
});

test('a row that causes an internal error is sent three times, then rejected with the correlation id', async () => {
  harness.service.faults.internalFor = 'user-3';
  const file = harness.write('usage.csv', usage(10));
  const { code } = await harness.run(file, '--streams', '1');
  expect(code).toBe(1);
  expect(rejectsOf(`${file}.rejects.ndjson`)).toMatchObject([
    { row: 4, code: 'INTERNAL', reason: expect.stringContaining('c-1') },
    { row: 11, code: 'INTERNAL' },
  ]);
});

test('no more rows are sent without an answer than --window allows, and no further row is read', async () => {
  harness.service.faults.isStuck = true;
  const running = harness.start(
    harness.write('usage.csv', usage(5000)),
    '--json',
    '--window',
    '20',
    '--retry-timeout',
    '1',
    '--streams',
    '3',
  );
  const { code, stdout } = await running.done;
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'aborted', rows: 20, unanswered: 20, created: 0 });
  expect(harness.service.unansweredMax).toBeLessThanOrEqual(20);
});

test('if no service listens, the message says so, with exit status 3', async () => {
  harness.service.stop();
  const { code, stdout } = await harness.start(harness.write('usage.csv', usage(3))).done;
  expect(code).toBe(3);
  expect(stdout).toContain(`no gRPC service answers at ${harness.service.address}`);
  expect(stdout).toContain('run the same command again');
});

test('wrong flags send nothing and list every fault, with exit status 2', async () => {
  const { code, stderr } = await harness.start('none.csv', '--streams', '99', '--set', 'x=y').done;
  expect(code).toBe(2);
  expect(stderr).toContain('--streams');
  expect(stderr).toContain('no field x');
  expect((await harness.start('none.csv').done).stderr).toContain('no such file');
  expect(harness.service.streamsSeen).toBe(0);
});

test('--help lists the flags, with exit status 0', async () => {
  const { code, stdout } = await harness.start('--help').done;
  expect(code).toBe(0);
  expect(stdout).toContain('--request-id-column');
});

test('Ctrl-C stops reading, waits for the answers to what was sent, and the next import goes on', async () => {
  harness.service.faults.holdsAfter = 60;
  const file = harness.write('usage.csv', usage(3000));
  const running = harness.start(file, '--json', '--window', '50', '--streams', '1');
  await waitFor('60 charges', () => harness.service.charges.size === 60);
  running.child.kill('SIGINT');
  await running.says('Stopping');
  harness.service.release();
  const { code, stdout } = await running.done;
  const json = JSON.parse(stdout) as Record<string, number>;
  expect(code).toBe(130);
  expect(json).toMatchObject({ status: 'interrupted', unanswered: 0 });
  expect(json['created']).toBe(harness.service.charges.size);
  expect(json['created']).toBeLessThan(3000);
  expect((await harness.run(file)).json).toMatchObject({
    created: 3000 - Number(json['created']),
    replayed: json['created'],
  });
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s twice ends an import at once', async (signal, code) => {
  harness.service.faults.isStuck = true;
  const running = harness.start(harness.write('usage.csv', usage(10)));
  await waitFor('a row', () => harness.service.unansweredMax > 0);
  running.child.kill(signal);
  await running.says('Stopping');
  running.child.kill(signal);
  expect((await running.done).code).toBe(code);
});

test('Ctrl-C ends an import from a pipe that stays open, and nothing was sent', async () => {
  const running = harness.start('-', '--format', 'csv');
  running.child.stdin.write(`${usage(3).join('\n')}\n`);
  await running.says('to its end');
  running.child.kill('SIGINT');
  expect((await running.done).code).toBe(130);
  expect(harness.service.charges.size).toBe(0);
});

test('standard input can be imported, and its copy is removed', async () => {
  const copies = () => readdirSync(tmpdir()).filter((name) => name.startsWith('charge-import-')).length;
  const before = copies();
  const running = harness.start('-', '--format', 'csv', '--json');
  running.child.stdin.end(usage(100).join('\n'));
  expect(JSON.parse((await running.done).stdout)).toMatchObject({ created: 100 });
  expect(copies()).toBe(before);
});

test('standard input that cannot be used is refused', async () => {
  const running = harness.start('-', '--format', 'csv');
  running.child.stdin.end('a,b\n1,2\n');
  const { code, stderr } = await running.done;
  expect(code).toBe(2);
  expect(stderr).toContain('no column holds prompt_tokens');
});
