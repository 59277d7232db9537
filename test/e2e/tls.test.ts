/** A started service with TLS, whose certificate is replaced while it is used. */

import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type { ChargeServiceClient } from '../../generated/charge/v1/charge_service.ts';
import { Authority, type Issued, withOpenssl } from '../support/certificates.ts';
import { createMigratedDatabase, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { openClient } from '../support/server.ts';
import { makeDataDir, type ReadyLine, Service } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { create } from './support.ts';

let database: TestDatabase;
let nats: TestNats;
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let authority: Authority;
let ca: string;
let link: string;
let service: Service;
let ready: ReadyLine;
let clients: ChargeServiceClient[];

/** As Kubernetes mounts a secret: a link to a folder is swapped. */
function install({ cert, key }: Pick<Issued, 'cert' | 'key'>): void {
  const folder = join(authority.directory, `mounted-${performance.now()}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
  symlinkSync(folder, `${link}.new`);
  renameSync(`${link}.new`, link);
}

/** The fingerprint of the certificate that a new connection to this address sees. */
function fingerprintAt(address: string): Promise<string> {
  const { port } = new URL(`https://${address}`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), ca, ALPNProtocols: ['h2', 'http/1.1'] });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
  });
}

/** As many connections as it takes to meet every process. */
async function fingerprints(): Promise<string[]> {
  const grpc = await Promise.all(Array.from({ length: 40 }, () => fingerprintAt(ready.grpc)));
  return [...new Set([...grpc, await fingerprintAt(ready.http)])];
}

function metrics(): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`https://${ready.http}/metrics`, { ca }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

function newClient(): ChargeServiceClient {
  const client = openClient(ready.grpc.replace('127.0.0.1', 'localhost'), ca);
  clients.push(client);
  return client;
}

withOpenssl('TLS of a started service', () => {
  beforeEach(async () => {
    clients = [];
    [database, nats, dataDir, authority] = await Promise.all([
      createMigratedDatabase(),
      startTestNats(),
      makeDataDir(),
      Authority.create(),
    ]);
    ca = await authority.cert;
    link = join(authority.directory, 'mounted');
    install(await authority.issue());
    service = new Service({
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      NATS_URL: nats.url,
      PROCESSES: '2',
      TLS_CERT_FILE: join(link, 'tls.crt'),
      TLS_KEY_FILE: join(link, 'tls.key'),
    });
    ready = await service.ready();
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await service.cleanUp();
    await Promise.all([database.drop(), nats.stop(), dataDir.remove()]);
    authority.remove();
  });

  test('the certificate is swapped while charges are recorded, and no call fails', async () => {
    const [before] = await fingerprints();
    let [succeeded, started, stopped] = [0, 0, false];
    const failures: unknown[] = [];
    const callAgainAndAgain = async (longLived: ChargeServiceClient): Promise<void> => {
      while (!stopped) {
        // Each fiftieth call is the first one of a new connection.
        const client = started % 50 === 0 ? newClient() : longLived;
        await create(client, `swap-${started++}`).then(
          () => void succeeded++,
          (error: unknown) => void failures.push(error),
        );
      }
    };
    const loading = Promise.all(Array.from({ length: 8 }, () => callAgainAndAgain(newClient())));
    const next = await authority.issue();
    await waitFor('calls', () => succeeded > 200);
    install(next);
    await waitFor('the new certificate, everywhere', async () => {
      const seen = await fingerprints();
      return seen.length === 1 && seen[0] !== before;
    });
    const at = succeeded;
    await waitFor('calls after it', () => succeeded > at + 200);
    stopped = true;
    await loading;
    expect(failures).toEqual([]);
    expect(service.lines.filter(({ msg }) => msg.startsWith('the certificate was replaced'))).toHaveLength(1);
  });

  test('a broken file changes nothing, not even for a process that starts while it is there', async () => {
    const [before] = await fingerprints();
    expect(await metrics()).toMatch(/^charge_certificate_last_reload_successful 1$/m);
    install({ cert: 'broken', key: 'broken' });
    await waitFor('the metric', async () =>
      /^charge_certificate_last_reload_successful 0$/m.test(await metrics()),
    );
    const [pid = 0] = await service.serverPids();
    process.kill(pid, 'SIGKILL');
    await waitFor('another process', async () => {
      const pids = await service.serverPids();
      const listening = service.lines.filter(({ msg }) => msg === 'a server process listens');
      return pids.length === 2 && !pids.includes(pid) && listening.length === 3;
    });
    expect(await fingerprints()).toEqual([before]);
    const faults = service.lines.filter(({ msg }) =>
      msg.startsWith('the files of the certificate cannot be used'),
    );
    expect(faults).toHaveLength(1);
    expect(JSON.stringify(faults)).toContain('TLS_CERT_FILE holds no certificate');
    expect(JSON.stringify(service.lines)).not.toContain('PRIVATE KEY');
    const expiry = /^charge_certificate_expire_timestamp_seconds (\S+)$/m.exec(await metrics())?.[1];
    expect(Number(expiry) * 1000).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    await expect(fetch(`http://${ready.http}/livez`)).rejects.toThrow();
  });
});
