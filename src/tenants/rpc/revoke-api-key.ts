/** RevokeApiKey: ends a key for ever. */

import { RevokeApiKeyRequest, RevokeApiKeyResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoApiKey } from '../convert.ts';
import type { ApiKeyStore } from '../ports.ts';
import { administeredTenant } from './operator.ts';

/** The method on a store. */
export function revokeApiKey(keys: ApiKeyStore, check: Check<RevokeApiKeyRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(RevokeApiKeyRequest, bytes),
    validate: check,
    response: RevokeApiKeyResponse,
    async handle({ tenantId, id }, call) {
      return { apiKey: toProtoApiKey(await keys.revoke(administeredTenant(call, tenantId), id, call)) };
    },
  });
}
