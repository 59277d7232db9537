/** An import when the service, the flags or the person at the keyboard do something else. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Bench, rejectsOf, usage } from './support/bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await Bench.open();
});

afterEach(() => bench.close());
test.each([false, true])(
  'a service that dies midway and comes back gets every row once (answer lost: %s)',
  async (losesAnswer) => {
    Object.assign(bench.service.faults, { crashAfterRows: 700, losesAnswer });
    const running = bench.start(bench.write('usage.csv', usage(3000)), '--json', '--window', '500');
    await bench.until(() => bench.service.faults.crashAfterRows === undefined);
    await bench.service.start(bench.service.port);
    const { code, stdout, stderr } = await running.done;
    const json = JSON.parse(stdout) as Record<string, number>;
    expect(code).toBe(0);
    expect((json['created'] ?? 0) + (json['replayed'] ?? 0)).toBe(3000);
    expect(json['replayed']).toBe(json['replayed_after_resend']);
    expect(json['prompt_tokens']).toBe(String((3000 * 3001) / 2));
    expect(bench.service.charges.size).toBe(3000);
    expect(stderr).toContain('trying again');
  },
);

test('overload is waited out as long as the service asks, of rows and of streams', async () => {
  bench.service.faults.overloads = { rows: 5, retryAfterMs: 400 };
  bench.service.faults.overloadedStreams = { streams: 1, retryAfterMs: 0 };
  const { code, json } = await bench.run(bench.write('usage.csv', usage(50)));
  expect({ code, ...json }).toMatchObject({ code: 0, created: 50, rejected: 0 });
  expect(Number(json['elapsed_ms'])).toBeGreaterThan(400);
});

test('a row that the service cannot handle is tried three times and set aside with its correlation id', async () => {
  bench.service.faults.internalFor = 'user-3';
  const file = bench.write('usage.csv', usage(10));
  const { code } = await bench.run(file, '--streams', '1');
  expect(code).toBe(1);
  expect(rejectsOf(`${file}.rejects.ndjson`)).toMatchObject([
    { row: 4, code: 'INTERNAL', reason: expect.stringContaining('c-1') },
    { row: 11, code: 'INTERNAL' },
  ]);
});

test('no more rows are under way than the window allows, and none is read beyond', async () => {
  bench.service.faults.isStuck = true;
  const running = bench.start(
    bench.write('usage.csv', usage(5000)),
    '--json',
    '--window',
    '20',
    '--retry-timeout',
    '2',
    '--streams',
    '3',
  );
  const { code, stdout } = await running.done;
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'aborted', rows: 20, unanswered: 20, created: 0 });
  expect(bench.service.unansweredMax).toBeLessThanOrEqual(20);
});

test('nothing listening is said plainly, with exit status 3', async () => {
  bench.service.stop();
  const { code, stdout } = await bench.start(bench.write('usage.csv', usage(3))).done;
  expect(code).toBe(3);
  expect(stdout).toContain(`no gRPC service answers at ${bench.service.address}`);
  expect(stdout).toContain('run the same command again');
});

test('wrong flags send nothing and list every fault, with exit status 2', async () => {
  const { code, stderr } = await bench.start('none.csv', '--streams', '99', '--set', 'x=y').done;
  expect(code).toBe(2);
  expect(stderr).toContain('--streams');
  expect(stderr).toContain('no field x');
  expect((await bench.start('none.csv').done).stderr).toContain('no such file');
  expect(bench.service.streamsSeen).toBe(0);
});

test('--help explains itself, with exit status 0', async () => {
  const { code, stdout } = await bench.start('--help').done;
  expect(code).toBe(0);
  expect(stdout).toContain('--request-id-column');
});

test('Ctrl-C stops reading, keeps what was sent, and the next run goes on', async () => {
  bench.service.faults.delayMs = 2;
  const file = bench.write('usage.csv', usage(3000));
  const running = bench.start(file, '--json', '--window', '50', '--streams', '1');
  await bench.until(() => bench.service.charges.size >= 60);
  running.child.kill('SIGINT');
  const { code, stdout } = await running.done;
  const json = JSON.parse(stdout) as Record<string, number>;
  expect(code).toBe(130);
  expect(json).toMatchObject({ status: 'interrupted', unanswered: 0 });
  expect(json['created']).toBe(bench.service.charges.size);
  expect(json['created']).toBeLessThan(3000);
  delete bench.service.faults.delayMs;
  expect((await bench.run(file)).json).toMatchObject({
    created: 3000 - Number(json['created']),
    replayed: json['created'],
  });
});

test('Ctrl-C ends an import from a pipe that has nothing to say', async () => {
  const running = bench.start('-', '--source-name', 'pipe', '--format', 'csv', '--json');
  running.child.stdin?.write(`${usage(3).join('\n')}\n`);
  await bench.until(() => bench.service.charges.size >= 3);
  running.child.kill('SIGINT');
  const { code, stdout } = await running.done;
  expect(code).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ created: 3, unanswered: 0 });
});

test('standard input is read as it comes', async () => {
  const running = bench.start('-', '--source-name', 'pipe', '--format', 'csv', '--json');
  running.child.stdin?.end(usage(100).join('\n'));
  expect(JSON.parse((await running.done).stdout)).toMatchObject({ created: 100 });
});
