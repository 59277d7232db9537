/** A started service whose callers are known by their client certificates. */

import { writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';

import { type ChannelCredentials, credentials, type Metadata } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { Scope } from '../../generated/charge/v1/access.ts';
import { ChargeServiceClient, type GetChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import {
  ApiKey,
  type CreateApiKeyResponse,
  Tenant,
  TenantServiceClient,
} from '../../generated/charge/v1/tenant_service.ts';
import { Authority, type Issued, withOpenssl } from '../support/certificates.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { failureOf } from '../support/errors.ts';
import { call } from '../support/server.ts';
import { makeDataDir, type ReadyLine, Service } from '../support/service.ts';
import { bearer, createWith } from '../tenants/support/credentials.ts';

const IDENTITIES = [
  { uri: 'spiffe://example.org/gateway', tenant: 'acme', scopes: ['record', 'read'] },
  { dns: 'ghost.example.org', tenant: 'ghost', scopes: ['record'] },
  { common_name: 'operator', tenant: 'default', scopes: ['admin', 'record', 'read'] },
];
const GATEWAY = 'URI:spiffe://example.org/gateway';

let authority: Authority;
let stranger: Authority;
/** A client's own certificates. */
let issued: Record<'gateway' | 'operator' | 'ghost' | 'nobody' | 'expired' | 'foreign', Issued>;
let server: Issued;
let ca: string;
const clients: { close(): void }[] = [];

withOpenssl('client certificates of a started service', () => {
  beforeAll(async () => {
    [authority, stranger] = await Promise.all([Authority.create(), Authority.create()]);
    ca = await authority.cert;
    server = await authority.issue();
    issued = {
      gateway: await authority.client('gateway', GATEWAY),
      operator: await authority.client('operator'),
      ghost: await authority.client('ghost', 'DNS:ghost.example.org'),
      nobody: await authority.client('nobody'),
      expired: await authority.issue({ names: GATEWAY, purpose: 'clientAuth', days: -1 }),
      foreign: await stranger.client('gateway', GATEWAY),
    };
    writeFileSync(join(authority.directory, 'identities.json'), JSON.stringify(IDENTITIES));
  });
  afterAll(() => {
    authority.remove();
    stranger.remove();
  });

  describe.each(['required', 'optional'] as const)('if %s', (rule) => {
    let database: TestDatabase;
    let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
    let service: Service;
    let ready: ReadyLine;
    /** A key of the tenant `globex`, which the operator has made with its certificate. */
    let globexKey: Metadata;

    const channelOf = (own?: Issued): ChannelCredentials => {
      const [key, cert] = own === undefined ? [] : [Buffer.from(own.key), Buffer.from(own.cert)];
      return credentials.createSsl(Buffer.from(ca), key, cert);
    };
    const address = () => ready.grpc.replace('127.0.0.1', 'localhost');
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    const clientOf = (own?: Issued): ChargeServiceClient => {
      const client = new ChargeServiceClient(address(), channelOf(own), options);
      clients.push(client);
      return client;
    };
    const read = (client: ChargeServiceClient, requestId: string) =>
      call<GetChargeResponse>((done) =>
        client.getCharge({ key: { $case: 'requestId', value: requestId } }, done),
      );
    const tenantsOfCharges = (): Promise<Record<string, unknown>[]> =>
      query(database.url, 'SELECT tenant, request_id FROM charge ORDER BY request_id');

    beforeAll(async () => {
      [database, dataDir] = await Promise.all([createTestDatabase(), makeDataDir()]);
      service = new Service({
        DATA_DIR: dataDir.path,
        DATABASE_URL: database.url,
        // Nobody listens there: charges need no NATS.
        NATS_URL: 'nats://127.0.0.1:1',
        AUTHENTICATION: 'required',
        TLS_CERT_FILE: server.certFile,
        TLS_KEY_FILE: server.keyFile,
        TLS_CLIENT_CA_FILE: authority.certFile,
        TLS_CLIENT_CERTIFICATE: rule,
        TLS_CLIENT_IDENTITIES_FILE: join(authority.directory, 'identities.json'),
      });
      ready = await service.ready();
      const operator = new TenantServiceClient(address(), channelOf(issued.operator), options);
      for (const id of ['acme', 'globex'])
        await call((done) => operator.createTenant({ tenant: Tenant.fromPartial({ id }) }, done));
      const scopes = [Scope.SCOPE_RECORD, Scope.SCOPE_READ];
      const request = { tenantId: 'globex', apiKey: { ...ApiKey.fromPartial({}), scopes } };
      const { key } = await call<CreateApiKeyResponse>((done) => operator.createApiKey(request, done));
      globexKey = bearer(key);
      operator.close();
    });
    afterEach(() => {
      for (const client of clients.splice(0)) client.close();
    });
    afterAll(async () => {
      await service.cleanUp();
      await Promise.all([database.drop(), dataDir.remove()]);
    });

    test('a charge is recorded in the tenant that the certificate is mapped to', async () => {
      await createWith(clientOf(issued.gateway), 'by-certificate');
      expect(await tenantsOfCharges()).toEqual([{ tenant: 'acme', request_id: 'by-certificate' }]);
      expect((await read(clientOf(issued.gateway), 'by-certificate')).charge?.userProfile).toBe('alice');
      expect((await failureOf(read(clientOf(issued.operator), 'by-certificate'))).code).toBe('NOT_FOUND');
    });

    test('an API key comes before the certificate', async () => {
      await createWith(clientOf(issued.gateway), 'by-key', globexKey);
      expect(await tenantsOfCharges()).toContainEqual({ tenant: 'globex', request_id: 'by-key' });
    });

    test('a certificate of another authority and an expired one are refused, also with an API key', async () => {
      const before = await tenantsOfCharges();
      for (const own of [issued.foreign, issued.expired]) {
        expect((await failureOf(createWith(clientOf(own), 'refused'))).code).toBe('UNAVAILABLE');
        expect((await failureOf(createWith(clientOf(own), 'refused', globexKey))).code).toBe('UNAVAILABLE');
      }
      expect(await tenantsOfCharges()).toEqual(before);
    });

    test('a certificate that is no tenant’s is no credential', async () => {
      const refused = (cause: string) => ({
        code: 'UNAUTHENTICATED',
        reason: 'UNAUTHENTICATED',
        metadata: { cause },
      });
      expect(await failureOf(createWith(clientOf(issued.nobody), 'nobody'))).toMatchObject(
        refused('MISSING'),
      );
      // The file names a tenant that does not exist.
      expect(await failureOf(createWith(clientOf(issued.ghost), 'ghost'))).toMatchObject(refused('INVALID'));
      await createWith(clientOf(issued.nobody), 'nobody-with-key', globexKey);
    });

    if (rule === 'required') {
      test('a client without a certificate is refused, also with an API key', async () => {
        expect((await failureOf(createWith(clientOf(), 'none', globexKey))).code).toBe('UNAVAILABLE');
      });
    } else {
      test('a client without a certificate needs an API key', async () => {
        await createWith(clientOf(), 'only-key', globexKey);
        expect(await tenantsOfCharges()).toContainEqual({ tenant: 'globex', request_id: 'only-key' });
        expect(await failureOf(createWith(clientOf(), 'none'))).toMatchObject({
          code: 'UNAUTHENTICATED',
          metadata: { cause: 'MISSING' },
        });
      });
    }

    test('the HTTP port asks for no certificate', async () => {
      const status = await new Promise((resolve, reject) => {
        get(`https://${ready.http}/livez`, { ca }, ({ statusCode }) => resolve(statusCode)).on(
          'error',
          reject,
        );
      });
      expect(status).toBe(200);
    });
  });
});
