/** Tenants and API keys in a database, and calls with credentials. */

import { Metadata } from '@grpc/grpc-js';

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type {
  ChargeServiceClient,
  CreateChargeResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import type { Scope } from '../../../src/grpc/principal.ts';
import { formatApiKey, hashOfSecret, newApiKey } from '../../../src/tenants/api-key.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../../support/database.ts';
import { call, createRequest } from '../../support/server.ts';

/** A migrated database with the tenants `acme` and `globex`. */
export async function createTenantDatabase(): Promise<TestDatabase> {
  const database = await createMigratedDatabase();
  for (const tenant of ['acme', 'globex']) await addTenant(database.url, tenant);
  return database;
}

/** A tenant with what it needs to record charges. */
export async function addTenant(url: string, tenant: string): Promise<void> {
  await query(
    url,
    `INSERT INTO tenant (tenant, create_time) VALUES ('${tenant}', clock_timestamp())`,
    `INSERT INTO journal_head (tenant, last_sequence) VALUES ('${tenant}', 0) ON CONFLICT DO NOTHING`,
    `INSERT INTO tenant_lock (tenant) VALUES ('${tenant}') ON CONFLICT DO NOTHING`,
  );
}

/** What a key may have that is not the default. */
export interface KeyOptions {
  readonly tenant?: string;
  readonly scopes?: readonly Scope[];
  readonly userProfile?: string;
  /** SQL of a time. */
  readonly expireTime?: string;
}

/** Stores a key and returns it as a caller sends it. By default of `acme`, for recording and reading. */
export async function addKey(
  url: string,
  { tenant = 'acme', scopes = ['RECORD', 'READ'], userProfile, expireTime = 'NULL' }: KeyOptions = {},
): Promise<{ readonly id: string; readonly key: string }> {
  const parts = newApiKey();
  const profile = userProfile === undefined ? 'NULL' : `'${userProfile}'`;
  await query(
    url,
    `INSERT INTO api_key (id, tenant, secret_hash, scopes, user_profile, create_time, expire_time)
     VALUES ('${parts.id}', '${tenant}', '\\x${hashOfSecret(parts.secret).toString('hex')}',
       '{${scopes.join(',')}}', ${profile}, clock_timestamp(), ${expireTime})`,
  );
  return { id: parts.id, key: formatApiKey(parts) };
}

/** Revokes a key. */
export async function revokeKey(url: string, id: string): Promise<void> {
  await query(url, `UPDATE api_key SET revoke_time = clock_timestamp() WHERE id = '${id}'`);
}

/** The headers of a call with this credential. */
export function bearer(credential: string): Metadata {
  return authorization(`Bearer ${credential}`);
}

/** The headers of a call with this header. */
export function authorization(header: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', header);
  return metadata;
}

/** Records a charge with these headers. */
export function createWith(
  client: ChargeServiceClient,
  requestId: string,
  metadata = new Metadata(),
  charge: Partial<Charge> = {},
): Promise<CreateChargeResponse> {
  return call((callback) => client.createCharge(createRequest(requestId, charge), metadata, callback));
}
