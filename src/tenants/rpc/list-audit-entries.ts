/** ListAuditEntries: the newest first, in pages. */

import {
  AuditEntry,
  ListAuditEntriesRequest,
  ListAuditEntriesResponse,
} from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinPageBytes } from '../../grpc/page-bytes.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoAuditEntry } from '../convert.ts';
import type { AuditLogReader } from '../ports.ts';
import { administeredTenant } from './operator.ts';
import { pageSizeOf } from './page.ts';

/** The method on a store. */
export function listAuditEntries(auditLog: AuditLogReader, check: Check<ListAuditEntriesRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListAuditEntriesRequest, bytes),
    validate: check,
    response: ListAuditEntriesResponse,
    hasLargeResponse: true,
    async handle(request, call) {
      const tenant = administeredTenant(call, request.tenantId);
      const { pageToken } = request;
      const list = ['audit entries', tenant];
      const beforeId = pageToken === '' ? undefined : openPlace(pageToken, list);
      const pageSize = pageSizeOf(request);
      // One more than the page holds tells whether anything follows it.
      const found = await auditLog.list(tenant, beforeId, pageSize + 1);
      const auditEntries = withinPageBytes(AuditEntry, found.slice(0, pageSize).map(toProtoAuditEntry));
      const last = auditEntries.at(-1)?.id ?? '';
      const hasMore = found.length > auditEntries.length;
      return { auditEntries, nextPageToken: hasMore ? sealPageToken(uuidBytes(last), list) : '' };
    },
  });
}

const UUID_BYTES = 16;

const uuidBytes = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex');

/** A place of 16 bytes is a UUID, whoever has made the token. */
function openPlace(token: string, list: unknown): string {
  return openPageToken(token, UUID_BYTES, list).toString('hex');
}
