/** `charge archive` on a real service: export, comparison, removal, and going on after a kill. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { inTransaction } from '../../src/database/transaction.ts';
import { followJournal } from '../../src/usage/store/follow-journal.ts';
import { closeLongAgo, createBatch, getCharge, requestOf } from '../charges/support/archive.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  OCTOBER,
  openCorrectionServer,
  voidCharge,
} from '../charges/support/corrections.ts';
import { call, errorOf } from '../support/server.ts';
import { openTestDatabase } from '../support/store.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

let server: CorrectionServer;
let directory: string;
let file: string;
beforeEach(async () => {
  server = await openCorrectionServer();
  directory = await mkdtemp(join(tmpdir(), 'charge-archive-'));
  file = join(directory, 'september.ndjson');
});
afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

const argsOf = (...args: string[]): string[] => [
  'src/cli/charge.js',
  'archive',
  ...['--address', server.address, '--before', '2026-10-01', '--output', file],
  ...args,
];

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runNode(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const runProgram = (args: readonly string[]) => runNode(['src/cli/charge.js', ...args]);

/** Runs the command to its end. */
const run = (...args: string[]) => runNode(argsOf(...args));

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(...args, '--json');
  try {
    return { code, ...(JSON.parse(stdout) as object) };
  } catch {
    throw new Error(`no JSON: ${stderr}`);
  }
}

const isArchived = async (requestId: string) =>
  expect(await errorOf(getCharge(server.client, requestId))).toMatchObject({ reason: 'CHARGE_ARCHIVED' });

test('charges go to the file and from the service, and the same command again finds nothing to do', async () => {
  const { client, pool } = server;
  const odd = new Map([['__proto__', 'line\u2028break\r\n"']]);
  await create(client, 'odd', { labels: odd });
  await createBatch(client, ['a', 'b']);
  await amendCharge(client, 'a', 'a2', { userProfile: 'bob', usageTime: undefined });
  await voidCharge(client, 'b');
  await create(client, 'october', { usageTime: OCTOBER });
  await closeLongAgo(pool);
  const plan = { code: 0, dry_run: true, charges: 4, days: 1, archived: 0, last_archived_sequence: '6' };
  const planned = await json('--dry-run');
  expect(planned).toMatchObject(plan);
  expect(existsSync(file)).toBe(false);
  expect((await run()).stderr).toMatch(/Remove these 4 charges .* --yes agrees/s);
  expect(await server.rows()).toMatchObject({ charges: 5 });

  expect(await json('--dry-run')).toMatchObject({ ...plan, bytes: planned['bytes'] });
  expect((await readFile(file)).length).toBe(planned['bytes']);
  expect(await server.rows()).toMatchObject({ charges: 5 });
  expect(await json('--yes')).toEqual({
    code: 0,
    status: 'done',
    file,
    charges: 4,
    archived: 4,
    already_archived: 0,
    not_in_file: 0,
    changed: [],
    last_archived_sequence: '6',
  });
  for (const name of ['odd', 'a', 'a2', 'b']) await isArchived(name);
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { requestId: string }).requestId).sort()).toEqual([
    'a',
    'a2',
    'b',
    'odd',
  ]);
  expect(await json('--yes')).toMatchObject({ code: 0, archived: 0, already_archived: 4 });
  expect((await getCharge(client, 'october')).charge?.model).toBe('gpt-4o');
});

test('a dry run asks the service, and tells what follows or what to do first', async () => {
  await createBatch(server.client, ['a', 'b']);
  const refused = await run('--dry-run');
  expect(refused.code).toBe(1);
  expect(refused.stdout).toMatch(
    /: 2 charges on 1 day, used from 2026-09-10T.*File: .*september.ndjson, \S+ kB, would be written\.\n/s,
  );
  expect(refused.stdout).toMatch(
    /would refuse to remove them: .*is not closed: close the period first.*To close it: npx charge close-period --before 2026-10-01T00:00:00Z --address/s,
  );
  await closeLongAgo(server.pool);
  const { code, stdout } = await run('--dry-run');
  expect(code).toBe(0);
  for (const text of [
    'The period is closed. The service would remove them',
    'Events up to 2 can then no longer be read: a consumer that asks for older ones gets SEQUENCE_ARCHIVED, takes the charges from the file, and goes on at 3.',
    'Totals as of a sequence before 2 are then refused.',
    'Nothing was written, and nothing was removed.',
  ])
    expect(stdout).toContain(text);
  expect(existsSync(file)).toBe(false);
  expect(await server.rows()).toMatchObject({ charges: 2 });
  const audit = await server.pool.query("SELECT FROM audit_entry WHERE action LIKE '%ArchiveCharges'");
  expect(audit.rowCount).toBe(0);
});

test('what usage says after an archive fits: prices of what is left, and which sequences have totals', async () => {
  const usage = async (...args: string[]) => {
    const flags = ['usage', '--zone', 'UTC', '--address', server.address, ...args];
    return runProgram(flags);
  };
  const { client, pool } = server;
  await create(client, 'old', { model: 'unknown-1' });
  await createBatch(client, ['a']);
  await create(client, 'october', { model: 'unknown-2', usageTime: OCTOBER });
  const database = await openTestDatabase(server.url);
  await inTransaction(
    database,
    'default',
    (transaction) => followJournal(transaction, 'default', 100),
    () => undefined,
  );
  await database.close();
  await closeLongAgo(pool);
  const all = ['--from', '2026-09-01', '--to', '2026-11-01'];
  expect((await usage(...all)).stdout).toContain(
    '2 of 3 charges have no cost and are in no sum of costs. To see why:\n  npx charge prices check --from 2026-09-01',
  );
  expect(await json('--yes')).toMatchObject({ code: 0, archived: 2, last_archived_sequence: '3' });
  const after =
    /2 of 3 charges .*\nCharges before 2026-09-10 [^\n]* that are archived can no longer get a cost. To see why:\n  (npx charge prices check --from 2026-09-10T\S+Z --to 2026-11-01T00:00:00Z .*)\n/;
  const [, command = ''] = after.exec((await usage(...all)).stdout) ?? [];
  const checked = await runProgram(command.split(' ').slice(2));
  expect(checked.stdout).toMatch(/^1 of 1 charges have no cost/);
  const september = await usage('--from', '2026-09-01', '--to', '2026-09-10');
  expect(september.stdout).toContain('No charges');
  const archived = await usage('--from', '2026-09-10', '--to', '2026-09-11');
  expect(archived.code).toBe(0);
  const early = await usage(...all, '--as-of', '2');
  expect(early).toMatchObject({ code: 1, stdout: '' });
  expect(early.stderr).toContain(
    'Charges with events up to 3 are archived, so totals as of 2 can no longer be computed. Ask as of 3 or later',
  );
  expect(await usage(...all, '--as-of', '3')).toMatchObject({ code: 0 });
});

test('a file that is damaged after it was compared keeps its charges in the service', async () => {
  const names = Array.from({ length: 1200 }, (_, i) => `c${i}`);
  for (let start = 0; start < names.length; start += 600)
    await createBatch(server.client, names.slice(start, start + 600));
  await closeLongAgo(server.pool);
  const written = await run();
  expect(written.stderr).toContain('--yes agrees');
  const whole = await readFile(file, 'utf8');
  // The first page waits for this lock; the file is compared by then.
  const holder = await server.pool.connect();
  await holder.query('BEGIN; SELECT FROM journal_head FOR UPDATE');
  const child = spawn(process.execPath, argsOf('--yes', '--json'), { cwd: ROOT });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const exited = once(child, 'close');
  await waitFor('the first page to wait', async () => {
    const { rowCount } = await server.pool.query(
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    );
    return stderr.includes('are as the service has them') && (rowCount ?? 0) > 0;
  });
  // The last line is of a page that the program has not read again. Its id stays.
  const lines = whole.trimEnd().split('\n');
  const last = lines.at(-1)?.replace('"gpt-4o"', '"gpt-4x"') ?? '';
  await writeFile(file, `${[...lines.slice(0, -1), last].join('\n')}\n`);
  await holder.query('COMMIT');
  holder.release();
  expect((await exited)[0]).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'changed', archived: 1000 });
  expect(stderr).toMatch(
    /1,000 charges were archived before this:\n.* was changed after it was compared, so no more charges were removed/,
  );
  expect(await server.rows()).toMatchObject({ charges: 200 });
  // With the file as it was, the same command goes on.
  await writeFile(file, whole);
  expect(await json('--yes')).toMatchObject({ code: 0, archived: 200, already_archived: 1000 });
});

test('a charge that has changed since the export, or a file that is damaged, removes nothing', async () => {
  const { client, pool } = server;
  const { results } = await createBatch(client, ['a', 'b', 'c']);
  await closeLongAgo(pool);
  await run();
  const whole = await readFile(file, 'utf8');
  await voidCharge(client, 'b', { allowClosedPeriod: true });
  expect(await json('--yes')).toMatchObject({
    code: 1,
    status: 'changed',
    changed: [results[1]?.charge?.id],
  });
  const lines = whole.trim().split('\n');
  const damages = {
    'cut off': whole.slice(0, -20),
    'in another order': `${lines.toReversed().join('\n')}\n`,
    'with a line twice': `${lines[0]}\n${whole}`,
    'with a line that is no charge': `${whole}{}\n`,
  };
  for (const [how, text] of Object.entries(damages)) {
    await writeFile(file, text);
    const { code, stderr } = await run('--yes');
    expect({ how, code }).toEqual({ how, code: 2 });
    expect(stderr).toMatch(/line \d is not /);
  }
  expect(await server.rows()).toMatchObject({ charges: 3 });
});

test('a file with usage that is not before --before removes nothing', async () => {
  const { client, pool } = server;
  await createBatch(client, ['a']);
  await create(client, 'october', { usageTime: OCTOBER });
  await closeLongAgo(pool, '2026-11-01T00:00:00Z');
  const later = ['--before', '2026-11-01', '--period-end', '2026-11-01'];
  await run(...later);
  const { code, stderr } = await run('--period-end', '2026-11-01', '--yes');
  expect(code).toBe(2);
  expect(stderr).toMatch(/line 2 has usage of 2026-10-.* which is not before 2026-10-01T00:00:00Z/);
  expect(await server.rows()).toMatchObject({ charges: 2 });
  expect(await json(...later, '--yes')).toMatchObject({ code: 0, archived: 2 });
});

test('what the service refuses is told with what to do', async () => {
  await createBatch(server.client, ['a']);
  const { code, stderr } = await run('--yes');
  expect(code).toBe(1);
  expect(stderr).toMatch(/Usage before 2026-10-01T00:00:00.000Z is not closed: close the period first/);
  // Recorded after the period was closed, and later closed again.
  await rm(file);
  await closeLongAgo(server.pool);
  await create(server.client, 'late');
  await server.pool.query('ALTER TABLE period_close DISABLE TRIGGER append_only');
  await server.pool.query('UPDATE period_close SET create_time = now()');
  expect((await run('--yes')).stderr).toMatch(/2 of the charges were recorded less than 10 minutes before/);
  await closeLongAgo(server.pool, '2026-11-01T00:00:00Z');
  expect(await json('--yes', '--period-end', '2026-11-01')).toMatchObject({ code: 0, archived: 2 });
});

test('wrong flags are named together, and nothing is sent', async () => {
  const { code, stderr } = await run(
    'surplus',
    '--before',
    'soon',
    '--output',
    'x.csv',
    '--retry-timeout',
    '0',
  );
  expect(code).toBe(2);
  for (const fault of ['surplus', '--before', '.ndjson', '--retry-timeout']) expect(stderr).toContain(fault);
});

test('after kill -9 at any moment the same command goes on, until all is archived once', async () => {
  const names = Array.from({ length: 6000 }, (_, i) => `c${i}`);
  for (let start = 0; start < names.length; start += 1000) {
    const requests = names.slice(start, start + 1000).map((name) => requestOf(name));
    await call((callback) => server.client.batchCreateCharges({ requests }, callback));
  }
  await closeLongAgo(server.pool);
  const count = async (table: string) =>
    Number((await server.pool.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]?.n);
  let kills = 0;
  for (let killAt = 1; (await count('charge')) > 0; killAt += 1500) {
    const child = spawn(process.execPath, argsOf('--yes'), { cwd: ROOT, stdio: 'ignore' });
    const exited = once(child, 'exit');
    let ended = false;
    void exited.then(() => (ended = true));
    await waitFor('more to be archived', async () => ended || (await count('archived_charge')) >= killAt, {
      timeoutMs: 30_000,
    });
    if (!ended && child.kill('SIGKILL')) kills++;
    await exited;
    // The service finishes the page that it has.
    expect(await count('(SELECT id FROM charge UNION ALL SELECT id FROM archived_charge) AS recorded')).toBe(
      names.length,
    );
  }
  expect(kills).toBeGreaterThan(1);
  expect(await json('--yes')).toMatchObject({ code: 0, archived: 0, already_archived: names.length });
  expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(names.length + 1);
});
