/** How commands reach the service: TLS and API keys, and what is refused before anything is sent. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { commandLine } from '../../src/cli/command-line.ts';
import { UsageError } from '../../src/cli/command.ts';
import { Authority, type Issued, serverCertificate, withOpenssl } from '../support/certificates.ts';
import { openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { type Fixture, EVERYTHING, startServer } from '../grpc/support/server.ts';
import { usage } from './support/harness.ts';
import { readFlags, runInProcess } from './support/in-process.ts';

const KEY = 'chg_0123_aSecretThatNobodySees';
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'charge-connection-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('CHARGE_')) delete process.env[name];
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function faultsOf(...args: string[]): readonly string[] {
  try {
    readFlags('a.csv', ...args);
  } catch (error) {
    if (error instanceof UsageError) return error.faults;
    throw error;
  }
  return [];
}

describe('an API key', () => {
  const elsewhere = ['--address', '10.0.0.1:50051'];

  test('comes from the environment, or from a file, which counts more', () => {
    expect(readFlags('a.csv').server.apiKey).toBeUndefined();
    process.env['CHARGE_API_KEY'] = `${KEY}\n`;
    expect(readFlags('a.csv').server.apiKey).toBe(KEY);
    const path = write('key', 'chg_1_x\n');
    expect(readFlags('a.csv', '--api-key-file', path).server.apiKey).toBe('chg_1_x');
    delete process.env['CHARGE_API_KEY'];
    process.env['CHARGE_API_KEY_FILE'] = path;
    expect(readFlags('a.csv').server.apiKey).toBe('chg_1_x');
  });

  test('is not sent to another machine in plain text, unless that is wanted', () => {
    process.env['CHARGE_API_KEY'] = KEY;
    for (const address of ['10.0.0.1:50051', 'charges.internal:50051', '[2001:db8::1]:50051']) {
      const faults = faultsOf('--address', address);
      expect(faults).toEqual([
        expect.stringContaining(`would be sent to ${address} in plain text: add --tls`),
      ]);
      expect(faults.join()).not.toContain(KEY);
    }
    for (const address of ['127.0.0.1:7', '[::1]:7', 'localhost:7'])
      expect(readFlags('a.csv', '--address', address).server.apiKey).toBe(KEY);
    expect(readFlags('a.csv', ...elsewhere, '--allow-insecure').server.apiKey).toBe(KEY);
    expect(readFlags('a.csv', ...elsewhere, '--tls').server.apiKey).toBe(KEY);
    process.env['CHARGE_TLS'] = 'true';
    expect(readFlags('a.csv', ...elsewhere).server.apiKey).toBe(KEY);
  });

  test('that is none is refused without showing it', () => {
    process.env['CHARGE_API_KEY'] = 'two words';
    expect(faultsOf()).toEqual([
      'CHARGE_API_KEY: this is no API key: it has blanks or characters that are not ASCII',
    ]);
    expect(faultsOf('--api-key-file', write('empty', '\n'))).toEqual(['--api-key-file: the file is empty']);
    expect(faultsOf('--api-key-file', '/no/key')).toEqual([
      expect.stringContaining('--api-key-file: ENOENT'),
    ]);
  });

  test('is no part of a command that is printed, but the flags are', () => {
    process.env['CHARGE_API_KEY'] = KEY;
    const path = write('printed', KEY);
    const { server } = readFlags(
      'a.csv',
      '--tls',
      '--tls-server-name',
      'a.b',
      '--api-key-file',
      path,
      ...elsewhere,
    );
    expect(commandLine(['void'], server)).toBe(
      `npx charge void --address 10.0.0.1:50051 --tls --tls-server-name a.b --api-key-file ${path}`,
    );
  });
});

describe('an API key reaches the service', () => {
  let fixture: Fixture;
  const sent: (string | undefined)[] = [];
  beforeAll(async () => {
    fixture = await startServer(
      {},
      {
        authenticate: (call) => {
          sent.push(call.header('authorization'));
          return EVERYTHING;
        },
      },
    );
  });
  afterAll(() => fixture.close());
  afterEach(() => void sent.splice(0));

  test.each<[string, () => string[]]>([
    ['a stream of requests', () => ['import', write('usage.csv', usage(3).join('\n')), '--yes', '--json']],
    ['a unary call', () => ['history', '0190a0e0-0000-7000-8000-000000000001', '--json']],
  ])('with %s', async (_name, args) => {
    process.env['CHARGE_API_KEY'] = KEY;
    const { stdout, stderr } = await runInProcess(...args(), '--address', fixture.address);
    expect(sent.length).toBeGreaterThan(0);
    expect(new Set(sent)).toEqual(new Set([`Bearer ${KEY}`]));
    expect(stdout + stderr).not.toContain(KEY);
  });

  test('and none is sent if there is none', async () => {
    await runInProcess('history', '0190a0e0-0000-7000-8000-000000000001', '--address', fixture.address);
    expect(new Set(sent)).toEqual(new Set([undefined]));
  });
});

withOpenssl('TLS', () => {
  let authority: Authority;
  let store: TestStore;
  let server: TestServer;
  let client: Issued;
  let named: Issued;

  beforeAll(async () => {
    [authority, store] = await Promise.all([Authority.create(), openTestStore()]);
    let issued: Issued;
    const ca = await authority.cert;
    [issued, named, client] = await Promise.all([
      authority.issue(),
      authority.issue({ names: 'DNS:charge.example.org' }),
      authority.client('billing'),
    ]);
    const certificate = serverCertificate(issued, ca);
    server = await openTestServer(store.url, { tls: { certificate, clientCertificate: 'required', ca } });
  });
  afterAll(async () => {
    await server.close();
    await store.close();
    authority.remove();
  });

  const flags = () => [
    ...['--address', server.address, '--tls-ca-file', authority.certFile],
    ...['--tls-cert-file', client.certFile, '--tls-key-file', client.keyFile],
  ];

  test('every kind of call goes over it', async () => {
    const file = write('tls.csv', usage(3).join('\n'));
    const imported = await runInProcess('import', file, '--yes', '--json', ...flags());
    expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining('"created":3') });
    const exported = await runInProcess(
      'export',
      '--format',
      'ndjson',
      '--output',
      `${file}.out`,
      ...flags(),
    );
    expect(exported.code).toBe(0);
    expect((await runInProcess('prices', 'list', '--json', ...flags())).code).toBe(0);
    expect((await runInProcess('usage', '--json', ...flags())).code).toBe(0);
    expect((await runInProcess('reconcile', '--check', 'sums', '--json', ...flags())).code).toBe(0);
  });

  test('the environment says the same', async () => {
    process.env['CHARGE_TLS_CA_FILE'] = authority.certFile;
    process.env['CHARGE_TLS_CERT_FILE'] = client.certFile;
    process.env['CHARGE_TLS_KEY_FILE'] = client.keyFile;
    expect((await runInProcess('prices', 'list', '--address', server.address)).code).toBe(0);
  });

  test('the certificate itself can be trusted, for a name that is not the address', async () => {
    const [issued, ca] = [serverCertificate(named), await authority.cert];
    const other = await openTestServer(store.url, {
      tls: { certificate: issued, clientCertificate: 'optional', ca },
    });
    try {
      const trust = ['--address', other.address, '--tls-ca-file', named.certFile];
      const list = (...more: string[]) => runInProcess('prices', 'list', ...trust, ...more);
      expect((await list('--tls-server-name', 'charge.example.org')).code).toBe(0);
      const { code, stderr } = await list();
      expect(code).toBe(3);
      expect(stderr).toContain("does not match certificate's altnames");
    } finally {
      await other.close();
    }
  });

  test('why there is no connection is said', async () => {
    const list = async (...args: string[]) => {
      const { code, stderr } = await runInProcess('prices', 'list', '--address', server.address, ...args);
      expect(code).toBe(3);
      return stderr;
    };
    const [untrusted, plain] = [await list('--tls'), await list()];
    expect(untrusted).toMatch(
      /no gRPC service answers at .*: (self-signed|unable to).*--tls-ca-file FILE trusts/,
    );
    expect(plain).toMatch(/no gRPC service answers at .*--tls one with TLS/);
  });

  test('files that cannot be used are refused, all at once', () => {
    expect(faultsOf('--tls-cert-file', client.certFile)).toEqual([
      '--tls-cert-file and --tls-key-file: give both, or none',
    ]);
    expect(
      faultsOf('--tls-ca-file', '/no/ca', '--tls-cert-file', '/no/c', '--tls-key-file', '/no/k'),
    ).toEqual([
      expect.stringContaining('--tls-ca-file: ENOENT'),
      expect.stringContaining('--tls-cert-file: ENOENT'),
      expect.stringContaining('--tls-key-file: ENOENT'),
    ]);
    expect(faultsOf('--tls-cert-file', client.certFile, '--tls-key-file', named.keyFile)).toEqual([
      expect.stringContaining('--tls-cert-file and --tls-key-file cannot be used'),
    ]);
    expect(faultsOf('--tls-ca-file', write('no.crt', 'x'))).toEqual([
      '--tls-ca-file: the file holds no certificate in PEM',
    ]);
    process.env['CHARGE_TLS'] = 'maybe';
    expect(faultsOf()).toEqual(['CHARGE_TLS: must be true or false']);
  });
});
