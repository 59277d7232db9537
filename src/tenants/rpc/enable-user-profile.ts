/** EnableUserProfile: ends DisableUserProfile. */

import {
  EnableUserProfileRequest,
  EnableUserProfileResponse,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { UserProfileWriter } from '../ports.ts';
import { toProtoUserProfile } from './user-profile-messages.ts';

/** The method on a writer. */
export function enableUserProfile(
  writer: UserProfileWriter,
  check: Check<EnableUserProfileRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(EnableUserProfileRequest, bytes),
    validate: check,
    response: EnableUserProfileResponse,
    async handle({ id }, call) {
      return { userProfile: toProtoUserProfile(await writer.enable(call, id)) };
    },
  });
}
