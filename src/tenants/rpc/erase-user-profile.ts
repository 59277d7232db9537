/** EraseUserProfile: erases a person, and keeps the sums. */

import {
  EraseUserProfileRequest,
  EraseUserProfileResponse,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { Eraser } from '../ports.ts';

/** Each call works for about a second, on a connection that all of them share. */
const CONCURRENCY = { max: 1, waitingMax: 20 };

/** The method on an eraser. */
export function eraseUserProfile(eraser: Eraser, check: Check<EraseUserProfileRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(EraseUserProfileRequest, bytes),
    validate: check,
    response: EraseUserProfileResponse,
    concurrency: CONCURRENCY,
    async handle({ id }, call) {
      const { pseudonym, charges, done } = await eraser.erase(call.tenant, id, call);
      return { pseudonym, charges: BigInt(charges), done };
    },
  });
}
