/** `charge void`: what it finds, what it sends, and what it says. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ChargeState } from '../../../generated/charge/v1/charge.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ROOT } from '../support/harness.ts';
import { FakeCorrections } from './support/fake-corrections.ts';

const IMPORT = '0193e4a0-1111-7000-8000-000000000001';
const REASON = ['--reason', 'wrong column'];
const VOIDED = ChargeState.CHARGE_STATE_VOIDED;
let service: FakeCorrections;

beforeEach(async () => {
  service = await FakeCorrections.open();
});
afterEach(() => service.close());

async function json(...args: string[]) {
  const { code, stdout } = await service.run('void', ...args, '--json');
  return { code, ...(JSON.parse(stdout || '{}') as object) };
}

/** Charges of one import. */
function putImport(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, index) => service.put(from + index, { importId: IMPORT }).id);
}

test('an import is voided as a whole, with a request id of each charge, and the same command again voids nothing', async () => {
  const ids = putImport(5);
  service.put(9);
  expect(await json('--import', IMPORT, ...REASON, '--yes')).toMatchObject({
    code: 0,
    status: 'done',
    voided: 5,
    already_voided: 0,
    refused: 0,
    selected: { charges: 5, users: 1, costs: [{ currency_code: 'USD', nanos: '7500000000' }] },
    voided_costs: [{ currency_code: 'USD', nanos: '7500000000' }],
  });
  expect(service.voids.map(({ requestId }) => requestId).sort()).toEqual(
    ids.map((id) => `void:${id}`).sort(),
  );
  expect(service.voids[0]).toMatchObject({ reason: 'wrong column', allowClosedPeriod: false });
  expect(await json('--import', IMPORT, ...REASON, '--yes')).toMatchObject({
    code: 0,
    voided: 0,
    already_voided: 5,
  });
  expect(service.voids).toHaveLength(5);
});

test('charges are named by their ids and by their request ids, each once', async () => {
  const { id } = service.put(1);
  service.put(2);
  expect(await json(id, '--request-id', 'r1', '--request-id', 'r2', ...REASON, '--yes')).toMatchObject({
    code: 0,
    voided: 2,
  });
});

test('it shows what it found, and without an agreement nothing is sent', async () => {
  putImport(2);
  service.put(3, { importId: IMPORT, state: VOIDED });
  const { code, stderr } = await service.run('void', '--import', IMPORT, ...REASON);
  expect(code).toBe(2);
  expect(stderr).toContain('charges that count: 2');
  expect(stderr).toContain('users:    ann (2)');
  expect(stderr).toContain('usage:    2026-09-01T10:00:01Z to 2026-09-01T10:00:02Z');
  expect(stderr).toContain('cost:     3.00 USD');
  expect(stderr).toContain('voided before: 1');
  expect(stderr).toContain('Void these 2 charges? Nobody can be asked here: --yes agrees');
  expect(service.voids).toEqual([]);
  const dry = await service.run('void', '--import', IMPORT, ...REASON, '--dry-run');
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was voided') });
  expect(service.voids).toEqual([]);
});

test('what is refused is told with its reason, and the others are voided', async () => {
  const [first = '', , third = ''] = putImport(3);
  const other = service.put(9).id;
  service.put(4, { importId: IMPORT, state: ChargeState.CHARGE_STATE_AMENDED, replacedBy: third });
  service.put(5, { importId: IMPORT, state: ChargeState.CHARGE_STATE_AMENDED, replacedBy: other });
  service.faults.closed = new Set([first]);
  const { code, stdout } = await service.run('void', '--import', IMPORT, ...REASON, '--yes');
  expect(code).toBe(1);
  expect(stdout).toContain('Voided 2 charges');
  expect(stdout).toMatch(/refused +2/);
  expect(stdout).toContain(`charge ${other} counts in its place`);
  expect(stdout).not.toContain(`charge ${third} counts`);
  expect(stdout).toContain(`${first}: FAILED_PRECONDITION (PERIOD_CLOSED)`);
  expect(stdout).toContain('--allow-closed-period');
  expect(stdout).toContain('--request-id-prefix "again:"');
  expect(await json('--import', IMPORT, ...REASON, '--yes', '--allow-closed-period')).toMatchObject({
    code: 1,
    voided: 1,
    already_voided: 2,
    refused: 1,
  });
});

test('an id that no charge has is refused', async () => {
  const { id } = service.put(1);
  const missing = id.replace(/1$/, '7');
  expect(await json(id, missing, ...REASON, '--yes')).toMatchObject({
    code: 1,
    voided: 1,
    refusals: [{ id: missing, reason: 'CHARGE_NOT_FOUND' }],
  });
});

test('at most 64 voids are in flight, and refusals for overload and lost answers are repeated', async () => {
  putImport(200);
  service.faults.holds = true;
  Object.assign(service.faults, { overloads: 5, lostAnswers: 5 });
  const running = json('--import', IMPORT, ...REASON, '--yes');
  await waitFor('64 voids in flight', () => service.inFlightMax === 64);
  service.release();
  expect(await running).toMatchObject({ code: 0, voided: 200, refused: 0, unanswered: 0 });
  expect(service.inFlightMax).toBe(64);
  expect(service.voids).toHaveLength(205);
});

test('a charge that another command has voided meanwhile is counted as voided before', async () => {
  putImport(2);
  service.faults.holds = true;
  const running = json('--import', IMPORT, ...REASON, '--yes');
  await waitFor('voids in flight', () => service.inFlightMax === 2);
  for (const charge of service.charges.values()) charge.state = VOIDED;
  service.release();
  expect(await running).toMatchObject({ code: 0, voided: 0, already_voided: 2, refused: 0 });
});

test('if the service stops answering, it gives up with exit status 3, and the same command goes on', async () => {
  putImport(3);
  service.faults.overloads = Infinity;
  expect(await json('--import', IMPORT, ...REASON, '--yes', '--retry-timeout', '1')).toMatchObject({
    code: 3,
    status: 'aborted',
    voided: 0,
    unanswered: 3,
  });
  service.faults.overloads = 0;
  expect(await json('--import', IMPORT, ...REASON, '--yes')).toMatchObject({ code: 0, voided: 3 });
});

test.each<[string[], string]>([
  [[], 'name the charges by their ids'],
  [['--import', IMPORT, '--request-id', 'r1', ...REASON], 'or by --import'],
  [['--request-id', 'r1'], '--reason: say why'],
  [['--request-id', 'r1', '--reason', 'x'.repeat(256)], '--reason: say why'],
  [['r1', ...REASON], '"r1" is not the id of a charge'],
  [['--import', 'r1', ...REASON], '"r1" is not the id of an import'],
  [['--import', IMPORT, ...REASON], `no charge was recorded by import ${IMPORT}`],
])('%j is refused before anything is sent', async (args, text) => {
  const { code, stderr } = await service.run('void', ...args, '--yes');
  expect(code).toBe(2);
  expect(stderr).toContain(text);
  expect(service.voids).toEqual([]);
});

test('without a service it says so, with exit status 3', async () => {
  service.close();
  const { code, stderr } = await service.run('void', '--request-id', 'r1', ...REASON, '--yes');
  expect(code).toBe(3);
  expect(stderr).toContain('no gRPC service answers');
});

test('after Ctrl-C it waits for the answers to what was sent, sends nothing more, and can go on', async () => {
  putImport(100);
  service.faults.holds = true;
  const args = [
    'void',
    '--import',
    IMPORT,
    ...REASON,
    '--yes',
    '--json',
    '--address',
    `127.0.0.1:${service.port}`,
  ];
  const child = spawn(process.execPath, [join(ROOT, 'src/cli/charge.js'), ...args], {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = once(child, 'close');
  await waitFor('64 voids in flight', () => service.inFlightMax === 64);
  child.kill('SIGINT');
  await waitFor('the signal to be seen', () => stderr.includes('Stopping'));
  service.release();
  expect(await ended).toEqual([130, null]);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'interrupted', voided: 64, unanswered: 36 });
  expect(service.voids).toHaveLength(64);
  expect(await json('--import', IMPORT, ...REASON, '--yes')).toMatchObject({
    code: 0,
    voided: 36,
    already_voided: 64,
  });
});
