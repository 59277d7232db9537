/** Every connection of the service is as DATABASE_URL says, on a server that takes connections with TLS only. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { CreateChargeResponse, ListChargesResponse } from '../../generated/charge/v1/charge_service.ts';
import { ListChargesRequest } from '../../generated/charge/v1/charge_service.ts';
import { migrateWhenReachable } from '../../src/supervisor/migrate-when-reachable.ts';
import { oneLogin } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { certificate, type PostgresServer, startPostgresServer } from '../support/postgres-server.ts';
import { openProxy } from '../support/proxy.ts';
import { call, createRequest } from '../support/server.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { openTestDatabase } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

let server: PostgresServer;
let nats: TestNats;
let login: string;
beforeAll(async () => {
  [server, nats] = await Promise.all([startPostgresServer(), startTestNats()]);
  login = `svc:${encodeURIComponent(server.password)}`;
});
afterAll(async () => {
  await Promise.all([server.stop(), nats.stop()]);
});

const tcp = (parameters: string) => `postgresql://${login}@127.0.0.1:${server.port}/book?${parameters}`;

describe('a started service', () => {
  test.each([
    [
      'TLS, a private authority and a schema',
      () =>
        tcp(
          `sslmode=verify-full&sslrootcert=${certificate('authority.crt')}&options=-c%20search_path%3Dbilling`,
        ),
      { ssl: true, socket: false, schema: 'billing' },
    ],
    [
      'a Unix socket',
      () => `postgresql://${login}@localhost/book?host=${server.socketDir}&port=${server.port}`,
      { ssl: false, socket: true, schema: 'public' },
    ],
  ])(
    'uses %s for every connection, and records and reads a charge',
    async (_, url, expected) => {
      await server.query(
        'CREATE SCHEMA IF NOT EXISTS billing AUTHORIZATION svc',
        'GRANT CREATE ON SCHEMA public TO svc',
      );
      const dataDir = await makeDataDir();
      // Every connection that anything of the service opens is seen by PostgreSQL's own count.
      const start = async () => {
        const service = new Service({ DATABASE_URL: url(), NATS_URL: nats.url, DATA_DIR: dataDir.path });
        try {
          const ready = await service.ready();
          const client = await service.client();
          await call<CreateChargeResponse>((done) => client.createCharge(createRequest('one'), done));
          const list = await call<ListChargesResponse>((done) =>
            client.listCharges(ListChargesRequest.fromPartial({}), done),
          );
          await waitFor('the relay', async () => {
            const response = await fetch(`http://${ready.http}/readyz`);
            const { checks } = (await response.json()) as { checks: Record<string, unknown> };
            return response.status === 200 && checks['relay'] === 'leading' && checks['events_waiting'] === 0;
          });
          const rows = await server.query(
            `SELECT application_name AS name, bool_and(ssl) AS ssl, bool_or(ssl) AS any_ssl, bool_and(client_addr IS NULL) AS socket
             FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'svc' GROUP BY 1 ORDER BY 1`,
          );
          expect(await service.end()).toBe(0);
          expect(service.stderr).not.toMatch(/warning/i);
          expect(service.stderr + JSON.stringify(service.lines)).not.toMatch(/p@ss|w#rd|p%40ss/);
          return { rows, list, postgresql: ready.postgresql };
        } finally {
          await service.cleanUp();
        }
      };
      const { ssl, socket, schema } = expected;
      try {
        // The second start finds the tables of the first one.
        for (const charges of [1, 1]) {
          const { rows, list, postgresql } = await start();
          expect(list.charges).toHaveLength(charges);
          expect(rows).toEqual(
            ['charge-service server', 'charge-service supervisor'].map((name) => ({
              name,
              ssl,
              any_ssl: ssl,
              socket,
            })),
          );
          expect(postgresql).toBe(`${socket ? server.socketDir : '127.0.0.1'}:${server.port}/book`);
        }
        const tables = await server.query(`SELECT count(*)::int AS rows FROM ${schema}.charge`);
        expect(tables).toEqual([{ rows: 1 }]);
      } finally {
        await dataDir.remove();
      }
    },
    120_000,
  );
});

describe('sslmode', () => {
  const rules = {
    'with TLS only': 'hostssl all svc 127.0.0.1/32 scram-sha-256',
    'without TLS only': 'hostnossl all svc 127.0.0.1/32 scram-sha-256',
    'by the certificate of the client': 'hostssl all svc 127.0.0.1/32 cert',
    'with a password in clear text': 'hostssl all svc 127.0.0.1/32 password',
    'without a password': 'hostssl all svc 127.0.0.1/32 trust',
  };
  const authority = () => `sslrootcert=${certificate('authority.crt')}`;
  const stranger = () => `sslrootcert=${certificate('stranger.crt')}`;
  const cases: [keyof typeof rules, string, () => string, boolean | RegExp][] = [
    ['with TLS only', 'nothing', () => '', true],
    ['with TLS only', 'disable', () => 'sslmode=disable', /pg_hba.conf.*no encryption/],
    ['with TLS only', 'allow', () => 'sslmode=allow', true],
    ['with TLS only', 'prefer', () => 'sslmode=prefer', true],
    ['with TLS only', 'require', () => 'sslmode=require', true],
    ['with TLS only', 'no-verify', () => 'sslmode=no-verify', true],
    ['with TLS only', 'require and another authority', () => `sslmode=require&${stranger()}`, /certificate/],
    ['with TLS only', 'verify-ca', () => `sslmode=verify-ca&${authority()}`, true],
    [
      'with TLS only',
      'verify-ca and another authority',
      () => `sslmode=verify-ca&${stranger()}`,
      /certificate/,
    ],
    ['with TLS only', 'verify-full', () => `sslmode=verify-full&${authority()}`, true],
    ['with TLS only', 'verify-full without the authority', () => 'sslmode=verify-full', /certificate/],
    ['with TLS only', 'channel binding', () => 'sslmode=require&channel_binding=require', true],
    ['without TLS only', 'channel binding', () => 'channel_binding=require', /channel_binding=require/],
    ['with a password in clear text', 'nothing', () => '', true],
    [
      'with a password in clear text',
      'channel binding',
      () => 'channel_binding=require',
      /channel_binding=require/,
    ],
    ['without a password', 'channel binding', () => 'channel_binding=require', /channel_binding=require/],
    ['without TLS only', 'nothing', () => '', false],
    ['without TLS only', 'require', () => 'sslmode=require', /pg_hba.conf/],
    [
      'by the certificate of the client',
      'require and a certificate',
      () => `sslmode=require&sslcert=${certificate('client.crt')}&sslkey=${certificate('client.key')}`,
      true,
    ],
    [
      'by the certificate of the client',
      'require and no certificate',
      () => 'sslmode=require',
      /certificate/,
    ],
  ];
  test.each(cases)(
    'to a server that accepts connections %s, with %s',
    async (rule, _, parameters, expected) => {
      await server.setRules(rules[rule]);
      const database = await openTestDatabase(tcp(parameters()));
      try {
        const answer = database.pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
        if (expected instanceof RegExp) await expect(answer).rejects.toThrow(expected);
        else expect((await answer).rows).toEqual([{ ssl: expected }]);
      } finally {
        await database.close();
      }
    },
  );

  test('verify-full refuses a certificate of another host, verify-ca does not', async () => {
    await server.setRules('hostssl all svc all scram-sha-256');
    const url = (mode: string) => tcp(`sslmode=${mode}&${authority()}`).replace('127.0.0.1', 'localhost');
    for (const [mode, refusal] of [
      ['verify-full', /altnames/],
      ['verify-ca', undefined],
    ] as const) {
      const database = await openTestDatabase(url(mode));
      try {
        const answer = database.pool.query('SELECT 1');
        if (refusal === undefined) await answer;
        else await expect(answer).rejects.toThrow(refusal);
      } finally {
        await database.close();
      }
    }
  });

  test('prefer takes a server that offers no TLS', async () => {
    const shared = new URL(process.env['TEST_POSTGRES_URL'] ?? '');
    shared.searchParams.delete('sslmode');
    const database = await openTestDatabase(shared.href);
    try {
      expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    } finally {
      await database.close();
    }
  });
});

describe('a start that waiting cannot help', () => {
  test.each([
    [
      'a database that does not exist',
      () => tcp('').replace('/book', '/nosuch'),
      /database "nosuch" does not exist/,
    ],
    ['a wrong password', () => tcp('').replace('p%40', 'x'), /password authentication failed for user "svc"/],
    ['no password', () => tcp('').replace(login, 'svc'), /asks for a password, and the URL has none/],
    ['an unknown authority', () => tcp('sslmode=verify-full'), /self-signed certificate/],
    [
      'no entry in pg_hba.conf',
      () => tcp('sslmode=disable'),
      /no pg_hba.conf entry for host "127.0.0.1", user "svc"/,
    ],
    [
      'a schema that does not exist',
      () => tcp('options=-c%20search_path%3Dnosuch'),
      /search_path "nosuch" names no schema/,
    ],
  ])('ends at once with %s', async (_, url, reason) => {
    await server.setRules('hostssl all svc 127.0.0.1/32 scram-sha-256');
    const waits: unknown[] = [];
    const logger = { warn: (...line: unknown[]) => waits.push(line), info: () => undefined };
    const start = migrateWhenReachable(oneLogin(url()), logger as never, new AbortController().signal);
    const error = (await start.catch((failure: unknown) => failure)) as Error;
    expect(error.message).toMatch(/^PostgreSQL at 127\.0\.0\.1:\d+\/\w+ cannot be used: /);
    expect(error.message).toMatch(reason);
    expect(error.message).not.toMatch(/w#rd|w%23rd/);
    expect(waits).toEqual([]);
  });
});

test('with several hosts, a connection goes to the first one that answers and can be written to', async () => {
  await server.setRules('hostssl all svc 127.0.0.1/32 scram-sha-256');
  const target = { host: '127.0.0.1', port: server.port };
  const [first, second] = [await openProxy(target), await openProxy(target)];
  const hosts = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
  const url = `postgresql://${login}@${hosts}/book?target_session_attrs=read-write`;
  const database = await openTestDatabase(url, { poolSizeMax: 1 });
  const portInUse = async () => {
    const client = await database.pool.connect();
    const { port } = client as unknown as { readonly port: number };
    await client.query('SELECT 1').finally(() => client.release(true));
    return port;
  };
  try {
    expect(await portInUse()).toBe(first.port);
    await first.close();
    expect(await portInUse()).toBe(second.port);
    await server.query('ALTER ROLE svc SET default_transaction_read_only = on');
    await expect(portInUse()).rejects.toMatchObject({ code: '25006' });
  } finally {
    await server.query('ALTER ROLE svc RESET default_transaction_read_only');
    await database.close();
    await second.close();
  }
});
