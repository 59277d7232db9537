/** CreateApiKey: a new key, whose secret is shown only in the response. */

import { CreateApiKeyRequest, CreateApiKeyResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoCreateApiKeyRequest, toProtoApiKey } from '../convert.ts';
import type { ApiKeyStore } from '../ports.ts';
import { administeredTenant } from './operator.ts';

/** The method on a store. */
export function createApiKey(keys: ApiKeyStore, check: Check<CreateApiKeyRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(CreateApiKeyRequest, bytes),
    validate: check,
    response: CreateApiKeyResponse,
    async handle(request, call) {
      const tenant = administeredTenant(call, request.tenantId);
      const { apiKey, key } = await keys.create(tenant, fromProtoCreateApiKeyRequest(request), call);
      return { apiKey: toProtoApiKey(apiKey), key };
    },
  });
}
