/** CreateUserProfile: one user profile. */

import {
  CreateUserProfileRequest,
  CreateUserProfileResponse,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { UserProfileWriter } from '../ports.ts';
import { fromProtoUserProfile, toProtoUserProfile } from './user-profile-messages.ts';

/** The method on a writer. */
export function createUserProfile(
  writer: UserProfileWriter,
  check: Check<CreateUserProfileRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(CreateUserProfileRequest, bytes),
    validate: check,
    response: CreateUserProfileResponse,
    async handle(request, call) {
      const { id, ...content } = fromProtoUserProfile(request.userProfile);
      return { userProfile: toProtoUserProfile(await writer.create(call, id, content)) };
    },
  });
}
