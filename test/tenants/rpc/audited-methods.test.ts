/** Every method that administers something has an entry in the audit log, or a reason why not. */

import { ChannelCredentials, Client, type Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import {
  AmendChargeRequest,
  ChargeServiceService as Charges,
  VoidChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import {
  PriceServiceService as Prices,
  RepriceChargesRequest,
} from '../../../generated/charge/v1/price_service.ts';
import {
  CreateApiKeyRequest,
  RotateApiKeyRequest,
  Tenant,
  TenantServiceService as Tenants,
} from '../../../generated/charge/v1/tenant_service.ts';
import {
  ReconcileCheck,
  ReconcileRequest,
  type ReconcileResponse,
  UsageServiceService as Usage,
} from '../../../generated/charge/v1/usage_service.ts';
import {
  UserProfile,
  UserProfileServiceService as UserProfiles,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { Scope } from '../../../generated/charge/v1/access.ts';
import { readContractImage } from '../../../src/grpc/contract-image.ts';
import { readMethodAccess } from '../../../src/grpc/method-access.ts';
import { SCOPES } from '../../../src/grpc/principal.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { closeLongAgo, requestOf } from '../../charges/support/archive.ts';
import { OCTOBER } from '../../charges/support/corrections.ts';
import { at, card, priceRequest } from '../../prices/support/client.ts';
import { call, errorOf, openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { readAuditLog } from '../support/audit.ts';
import { addKey, bearer } from '../support/credentials.ts';

const ADMINISTRATIVE: ReadonlySet<string> = new Set(['PRICE', 'CORRECT', 'ADMIN']);

let store: TestStore;
let server: TestServer;
let client: Client;
/** Of the operator. */
let key: { readonly id: string; readonly metadata: Metadata };
/** The charges that were recorded before any act. */
let chargeIds: readonly string[];
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url, { credentials: { ...OPEN, required: true } });
  client = new Client(server.address, ChannelCredentials.createInsecure());
  const added = await addKey(store.url, { tenant: 'default', scopes: SCOPES });
  key = { id: added.id, metadata: bearer(added.key) };
  const requests = ['voided', 'amended', 'archived'].map((id) => requestOf(id));
  const { results } = await unary(Charges.batchCreateCharges, { requests });
  chargeIds = results.map(({ charge }) => charge?.id ?? '');
});
afterAll(async () => {
  client.close();
  await server.close();
  await store.close();
});

function unary<Req, Res>(definition: MethodDefinition<Req, Res>, request: Req): Promise<Res> {
  const { path, requestSerialize, responseDeserialize } = definition;
  return call((done) =>
    client.makeUnaryRequest<Req, Res>(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      key.metadata,
      (error, response) => done(error, response as Res),
    ),
  );
}

/** A call that changes something, and the tenant that it changes. */
interface Act {
  readonly method: string;
  readonly run: () => Promise<unknown>;
  readonly tenantId: string;
}

function act<Req, Res>(
  definition: MethodDefinition<Req, Res>,
  request: () => Req | Promise<Req>,
  tenantId = 'default',
): Act {
  const run = async () => unary(definition, await request());
  return { method: nameOf(definition.path), run, tenantId };
}

function nameOf(path: string): string {
  return path.replace('/charge.v1.', '');
}

const profile = (displayName: string) => UserProfile.fromPartial({ id: 'alice', displayName });
const KEY_OF_ACME = { tenantId: 'acme', id: '' };

/** In an order in which each has something to do. */
const ACTS: readonly Act[] = [
  act(Prices.createPrice, () => priceRequest('p', { from: at('2000-01-01T00:00:00Z') })),
  act(Prices.batchCreatePrices, () => ({
    requests: ['a', 'b'].map((model) => priceRequest(model, { key: { model }, basis: card({ 1: 1n }) })),
  })),
  act(Prices.repriceCharges, () =>
    RepriceChargesRequest.fromPartial({
      filter: { startTime: at('2026-09-01T00:00:00Z'), endTime: OCTOBER },
      reason: 'the price came late',
      runId: 'september',
    }),
  ),
  act(Charges.voidCharge, () =>
    VoidChargeRequest.fromPartial({
      key: { $case: 'chargeRequestId', value: 'voided' },
      requestId: 'v',
      reason: 'test traffic',
    }),
  ),
  act(Charges.amendCharge, () =>
    AmendChargeRequest.fromPartial({
      key: { $case: 'chargeRequestId', value: 'amended' },
      charge: requestOf('', { promptTokens: 7n }).charge,
      requestId: 'n',
      reason: 'wrong tokens',
    }),
  ),
  { method: nameOf(Usage.reconcile.path), run: repairSums, tenantId: 'default' },
  act(Charges.closePeriod, () => ({ endTime: at('2001-01-01T00:00:00Z') })),
  act(Charges.archiveCharges, async () => {
    await once('closed', () => closeLongAgo(store.owner.pool));
    return { ids: chargeIds.slice(-1), endTime: OCTOBER, dryRun: false };
  }),
  act(UserProfiles.createUserProfile, () => ({ userProfile: profile('Alice') })),
  act(UserProfiles.updateUserProfile, () => ({
    userProfile: profile('Alice B.'),
    updateMask: ['display_name'],
  })),
  act(UserProfiles.disableUserProfile, () => ({ id: 'alice' })),
  act(UserProfiles.enableUserProfile, () => ({ id: 'alice' })),
  act(UserProfiles.eraseUserProfile, () => ({ id: 'alice' })),
  act(Tenants.createTenant, () => ({ tenant: Tenant.fromPartial({ id: 'acme' }) }), 'acme'),
  act(
    Tenants.updateTenant,
    () => ({ tenant: Tenant.fromPartial({ id: 'acme', displayName: 'Acme' }), updateMask: ['display_name'] }),
    'acme',
  ),
  act(Tenants.suspendTenant, () => ({ tenantId: 'acme' }), 'acme'),
  act(Tenants.resumeTenant, () => ({ tenantId: 'acme' }), 'acme'),
  act(
    Tenants.createApiKey,
    () => CreateApiKeyRequest.fromPartial({ tenantId: 'acme', apiKey: { scopes: [Scope.SCOPE_READ] } }),
    'acme',
  ),
  act(Tenants.rotateApiKey, async () => RotateApiKeyRequest.fromPartial(await newestKeyOfAcme()), 'acme'),
  act(Tenants.revokeApiKey, () => newestKeyOfAcme(), 'acme'),
];

const DAMAGE = `
INSERT INTO usage_rollup SELECT (jsonb_populate_record(NULL::usage_rollup, (
   SELECT jsonb_object_agg(attname, 0) FROM pg_attribute WHERE attrelid = 'usage_rollup'::regclass AND attnum > 0
 ) || '{"tenant": "default", "level": 3, "start_time": "2026-08-05T00:00:00Z", "user_profile": "eve", "model": "m",
   "other_provider": "", "region": "", "cost_currency": "EUR", "reported_cost_currency": "", "cost_nanos": 7}')).*`;

const done = new Set<string>();
async function once(what: string, work: () => Promise<unknown>): Promise<void> {
  if (!done.has(what)) await work();
  done.add(what);
}

/** Damages the sums of one day, and repairs them. */
async function repairSums(): Promise<void> {
  await once('damaged', () => store.owner.pool.query(DAMAGE));
  const { path, requestSerialize, responseDeserialize } = Usage.reconcile;
  const checks = [ReconcileCheck.RECONCILE_CHECK_SUMS];
  const request = ReconcileRequest.fromPartial({ checks, repair: true });
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    key.metadata,
  );
  for await (const response of stream as AsyncIterable<ReconcileResponse>) void response;
}

async function newestKeyOfAcme(): Promise<typeof KEY_OF_ACME> {
  const page = { tenantId: 'acme', pageSize: 0, pageToken: '' };
  const { apiKeys } = await unary(Tenants.listApiKeys, page);
  return { ...KEY_OF_ACME, id: apiKeys.find(({ revokeTime }) => revokeTime === undefined)?.id ?? '' };
}

/** Methods that are not audited, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'TenantService/GetTenant': 'reads only',
  'TenantService/ListTenants': 'reads only',
  'TenantService/ListApiKeys': 'reads only',
  'TenantService/ListAuditEntries': 'reads only',
};

function administrativeMethods(): string[] {
  const image = readContractImage();
  const accessOf = readMethodAccess(image);
  const names: string[] = [];
  for (const type of createFileRegistry(fromBinary(FileDescriptorSetSchema, image))) {
    if (type.kind !== 'service') continue;
    for (const { name: method } of type.methods) {
      const access = accessOf({ service: type.typeName, method });
      if (access !== undefined && ADMINISTRATIVE.has(access.requiredScope)) {
        names.push(nameOf(`/${type.typeName}/${method}`));
      }
    }
  }
  return names.sort();
}

describe('a method with the scope price, correct or admin', () => {
  test('is audited, or one of those with a reason why not', () => {
    const known = [...ACTS.map(({ method }) => method), ...Object.keys(EXCEPTIONS)];
    expect(administrativeMethods()).toEqual(known.sort());
  });

  test.each(ACTS)(
    '$method changes nothing without an entry: who, what, when and from where',
    async ({ method, run, tenantId }) => {
      const before = tenantId === 'acme' && method.endsWith('CreateTenant') ? [] : await logOf(tenantId);
      // If it changed something now, there would be nothing left to do, and no entry, when it is called again.
      await store.owner.pool.query('ALTER TABLE audit_entry ADD CONSTRAINT is_full CHECK (false) NOT VALID');
      const refused = await errorOf(run()).finally(() =>
        store.owner.pool.query('ALTER TABLE audit_entry DROP CONSTRAINT is_full'),
      );
      expect(refused.code).toBe('INTERNAL');
      const startedAtMs = Date.now();
      await run();
      const added = (await logOf(tenantId)).slice(before.length);
      expect(added).toMatchObject([
        {
          tenantId,
          action: `charge.v1.${method}`,
          actor: `api_key:${key.id}`,
          actorTenantId: 'default',
          peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        },
      ]);
      const { seconds, nanos } = added[0]?.createTime ?? { seconds: 0n, nanos: 0 };
      expect(Number(seconds) * 1000 + nanos / 1e6).toBeGreaterThanOrEqual(startedAtMs);
    },
  );
});

function logOf(tenantId: string) {
  return readAuditLog(server.address, { tenantId, metadata: key.metadata });
}
