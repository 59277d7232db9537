/**
 * The commands of docs/clients.md, word for word, with the files of examples/clients. They install packages and compile,
 * which takes a minute or two, so they run with `npm run test:clients` (also part of `.ci/run`), not with `npm test`.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { runCommand } from '../../src/embedded/command.ts';
import { openProxy, type Proxy } from '../support/proxy.ts';
import { openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { findOnPath, ROOT, skipNote, startTool } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const LANGUAGES = [
  { name: 'Python', program: 'python3' },
  { name: 'Go', program: 'go' },
  { name: 'Java', program: 'mvn' },
  { name: 'TypeScript', program: 'node' },
];
const BUILD_TIMEOUT_MS = 300_000;
const document = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
const wanted = process.env['TEST_CLIENT_EXAMPLES'] !== undefined;

const WAIT_FOR_LOCK = `
CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
CREATE TRIGGER wait_for_lock AFTER INSERT ON charge
  FOR EACH ROW WHEN (NEW.user_profile = 'alice') EXECUTE FUNCTION wait_for_lock()`;

/** The lines after `$` in the section of a language. The last one records the charge. */
function commandsOf(language: string): string[] {
  const section = document.split(/^## /m).find((text) => text.startsWith(`${language}\n`)) ?? '';
  return [...section.matchAll(/^\$ (.+)$/gm)].map(([, command]) => command ?? '');
}

for (const { name, program } of LANGUAGES) {
  const reason = !wanted ? 'run `npm run test:clients`' : `there is no ${program} on PATH`;
  const runs = wanted && findOnPath(program) !== undefined;
  const skipped = runs ? '' : skipNote(`the ${name} example`, { path: undefined, reason });

  (runs ? describe : describe.skip)(`the ${name} example${skipped}`, () => {
    let store: TestStore;
    let server: TestServer;
    let proxy: Proxy;
    let directory: string;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'charge-client-'));
      cpSync(join(ROOT, 'examples/clients', name.toLowerCase()), directory, { recursive: true });
      await shell(`npm run --silent proto:export -- ${directory}/proto`, ROOT);
      for (const command of commandsOf(name).slice(0, -1)) await shell(command, directory);
      store = await openTestStore();
      server = await openTestServer(store.url);
      const [host = '', port] = server.address.split(':');
      proxy = await openProxy({ host, port: Number(port) });
    }, BUILD_TIMEOUT_MS);
    afterAll(async () => {
      await proxy.close();
      await server.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    });

    test(
      'records a charge once, although the answer of the first attempt is lost',
      async () => {
        const command = commandsOf(name).at(-1) ?? '';
        expect(command).toContain('127.0.0.1:50051');
        const { pool } = store.owner;
        const rows = async (): Promise<{ id: string }[]> =>
          (await pool.query<{ id: string }>('SELECT id FROM charge')).rows;

        // The write of this charge waits for a lock, so the connection can be cut between commit and answer. The
        // service's own probes of the write path do not wait.
        const lock = await pool.connect();
        await lock.query('SELECT pg_advisory_lock(1)');
        await pool.query(WAIT_FOR_LOCK);
        const client = startTool(
          'sh',
          ['-c', command.replace('127.0.0.1:50051', `127.0.0.1:${proxy.port}`)],
          { cwd: directory, timeoutMs: BUILD_TIMEOUT_MS },
        );
        await waitFor(
          'the write to wait',
          async () => {
            const waiting =
              'SELECT FROM pg_stat_activity WHERE datname = current_database() AND ' +
              "wait_event = 'advisory'";
            return (await pool.query(waiting)).rowCount === 1;
          },
          { timeoutMs: BUILD_TIMEOUT_MS / 2 },
        );
        proxy.blackhole();
        await lock.query('SELECT pg_advisory_unlock(1)');
        lock.release();
        await waitFor('the commit', async () => (await rows()).length === 1);
        proxy.heal();
        proxy.cut();

        const { status, stdout, stderr } = await client.ended;
        expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
        const [charge, ...others] = await rows();
        expect(others).toEqual([]);
        expect(stdout).toContain(`charge ${charge?.id}, replayed: true`);
      },
      BUILD_TIMEOUT_MS,
    );
  });
}

async function shell(command: string, cwd: string): Promise<void> {
  await runCommand('sh', ['-c', command], { cwd, timeoutMs: BUILD_TIMEOUT_MS, env: process.env });
}
