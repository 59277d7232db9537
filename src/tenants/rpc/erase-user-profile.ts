/** EraseUserProfile: erases a person, and keeps the sums. */

import {
  EraseUserProfileRequest,
  EraseUserProfileResponse,
  UserProfileServiceService,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod, RpcService } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check, ContractRules } from '../../grpc/validation.ts';
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

const { eraseUserProfile: ERASE } = UserProfileServiceService;

/** The part of `charge.v1.UserProfileService` that erases, until the service has its other methods. */
export function erasureService(
  eraser: Eraser,
  rules: ContractRules,
): RpcService<{ readonly eraseUserProfile: typeof ERASE }> {
  const check = rules.checkOf('charge.v1.EraseUserProfileRequest', EraseUserProfileRequest);
  return {
    name: 'charge.v1.UserProfileService',
    definition: { eraseUserProfile: ERASE },
    methods: { eraseUserProfile: eraseUserProfile(eraser, check) },
  };
}
