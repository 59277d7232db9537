/** RotateApiKey: a new key in the place of an old one, which expires later. */

import { RotateApiKeyRequest, RotateApiKeyResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoRotation, toProtoApiKey } from '../convert.ts';
import type { ApiKeyStore } from '../ports.ts';
import { administeredTenant } from './operator.ts';

/** The method on a store. */
export function rotateApiKey(keys: ApiKeyStore, check: Check<RotateApiKeyRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(RotateApiKeyRequest, bytes),
    validate: check,
    response: RotateApiKeyResponse,
    async handle(request, call) {
      const tenant = administeredTenant(call, request.tenantId);
      const rotated = await keys.rotate(tenant, request.id, fromProtoRotation(request), call);
      const { apiKey, key, previous } = rotated;
      return { apiKey: toProtoApiKey(apiKey), key, previous: toProtoApiKey(previous) };
    },
  });
}
