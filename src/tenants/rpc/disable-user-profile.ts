/** DisableUserProfile: a tenant may refuse its charges from now on. */

import {
  DisableUserProfileRequest,
  DisableUserProfileResponse,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { UserProfileWriter } from '../ports.ts';
import { toProtoUserProfile } from './user-profile-messages.ts';

/** Each waits for the lock of its tenant, on one of the connections of reads. */
const CONCURRENCY = { max: 2, waitingMax: 256 };

/** The method on a writer. */
export function disableUserProfile(
  writer: UserProfileWriter,
  check: Check<DisableUserProfileRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(DisableUserProfileRequest, bytes),
    validate: check,
    response: DisableUserProfileResponse,
    concurrency: CONCURRENCY,
    async handle({ id }, call) {
      return { userProfile: toProtoUserProfile(await writer.disable(call, id)) };
    },
  });
}
