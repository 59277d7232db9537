/** The audit log through the front door. */

import { ChannelCredentials, Metadata } from '@grpc/grpc-js';

import {
  type AuditEntry,
  type ListAuditEntriesResponse,
  TenantServiceClient,
} from '../../../generated/charge/v1/tenant_service.ts';
import { call } from '../../support/server.ts';

/** The newest 1000 entries of a tenant, the oldest first. By default those of the credential's tenant. */
export async function readAuditLog(
  address: string,
  { tenantId = '', metadata = new Metadata() } = {},
): Promise<AuditEntry[]> {
  const client = new TenantServiceClient(address, ChannelCredentials.createInsecure());
  try {
    const { auditEntries } = await call<ListAuditEntriesResponse>((done) =>
      client.listAuditEntries({ tenantId, pageSize: 1000, pageToken: '' }, metadata, done),
    );
    return auditEntries.reverse();
  } finally {
    client.close();
  }
}

/** What was done by one method: the target and the details of each entry, the oldest first. */
export async function actsOf(
  method: string,
  address: string,
): Promise<(readonly [target: string, details: Readonly<Record<string, string>>])[]> {
  const entries = await readAuditLog(address);
  return entries
    .filter(({ action }) => action === `charge.v1.${method}`)
    .map(({ target, details }) => [target, Object.fromEntries(details)]);
}
