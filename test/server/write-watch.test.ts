/** When charges count as recordable: a verdict of real writes and probes that neither flaps nor lies. */

import { afterEach, expect, jest, test } from '@jest/globals';

import { WriteWatch } from '../../src/server/write-watch.ts';

const OPTIONS = { periodMs: 1_000, rehearsalPeriodMs: 30_000, answerMs: 5_000, failingMs: 1_000 };
const sqlError = (code: string): Error =>
  Object.assign(new Error(`refused with ${code}`), { code, severity: 'ERROR' });
const READ_ONLY = sqlError('25006');
const LOST = new Error('Connection terminated unexpectedly');

let watch: WriteWatch | undefined;
afterEach(() => {
  watch?.stop();
  jest.useRealTimers();
});

/** A watch of which probes and time belong to the test. */
async function start(first?: Error) {
  jest.useFakeTimers();
  let answer: Error | 'silence' | undefined = first;
  const probes: string[] = [];
  const probe = (name: string) => async (): Promise<void> => {
    probes.push(name);
    if (answer === 'silence') await new Promise(() => undefined);
    if (answer instanceof Error) throw answer;
  };
  const told: (string | undefined)[] = [];
  const opened = new WriteWatch({ check: probe('check'), rehearse: probe('rehearse') }, OPTIONS);
  watch = opened;
  await opened.start((fault) => told.push(fault?.problem));
  return {
    watch: opened,
    told,
    probes,
    answerWith: (next: typeof answer) => (answer = next),
    pass: (ms: number) => jest.advanceTimersByTimeAsync(ms),
  };
}

test('the first verdict comes at once, and a success ends every fault', async () => {
  const { told, answerWith, pass } = await start(READ_ONLY);
  expect(told).toEqual(['read-only']);
  await pass(10_000);
  answerWith(undefined);
  await pass(1_000);
  expect(told).toEqual(['read-only', undefined]);
});

test('one failure is none, failures for a second are one, and another reason is told', async () => {
  const { watch, told, answerWith, pass } = await start();
  watch.failed(LOST, 0.01);
  await pass(5_000);
  watch.failed(LOST, 20);
  watch.committed();
  await pass(5_000);
  expect(told).toEqual([undefined]);
  answerWith(LOST);
  await pass(3_000);
  answerWith(READ_ONLY);
  await pass(3_000);
  expect(told).toEqual([undefined, 'no answer', 'read-only']);
});

test('a probe without an answer is a fault after 5 s, unless charges are committed meanwhile', async () => {
  const { watch, told, answerWith, pass } = await start();
  answerWith('silence');
  await pass(4_500);
  watch.committed();
  await pass(2_000);
  expect(told).toEqual([undefined]);
});

test('a probe without an answer is a fault after 5 s', async () => {
  const { told, answerWith, pass } = await start();
  answerWith('silence');
  await pass(5_900);
  expect(told).toEqual([undefined]);
  await pass(200);
  expect(told).toEqual([undefined, 'no answer']);
});

test('a value that PostgreSQL refuses is no fault of PostgreSQL', async () => {
  const { watch, told, pass } = await start();
  for (let i = 0; i < 5; i++) {
    watch.failed(sqlError('22003'), 0);
    watch.failed(new TypeError('a defect'), 0);
    await pass(500);
  }
  expect(told).toEqual([undefined]);
});

test('rehearses rarely, at once after a failed write, and not at all while charges are committed', async () => {
  const { watch, probes, pass } = await start();
  expect(probes).toEqual(['rehearse']);
  await pass(5_000);
  expect(probes.splice(0)).toEqual(['rehearse', ...Array<string>(5).fill('check')]);
  watch.failed(sqlError('53100'), 0);
  await pass(2_000);
  expect(probes.splice(0)).toEqual(['rehearse', 'check']);
  for (let i = 0; i < 100; i++) {
    watch.committed();
    await pass(400);
  }
  expect(probes).toEqual([]);
  await pass(31_000);
  expect(probes.filter((name) => name === 'rehearse')).toHaveLength(1);
});
