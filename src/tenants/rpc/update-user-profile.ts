/** UpdateUserProfile: sets the fields that a mask names. */

import {
  UpdateUserProfileRequest,
  UpdateUserProfileResponse,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { UserProfileWriter } from '../ports.ts';
import { fromProtoUserProfile, maskedContent, toProtoUserProfile } from './user-profile-messages.ts';

/** The method on a writer. */
export function updateUserProfile(
  writer: UserProfileWriter,
  check: Check<UpdateUserProfileRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(UpdateUserProfileRequest, bytes),
    validate: check,
    response: UpdateUserProfileResponse,
    async handle(request, call) {
      const { id, ...content } = fromProtoUserProfile(request.userProfile);
      const changes = maskedContent(content, request.updateMask);
      return { userProfile: toProtoUserProfile(await writer.update(call, id, changes)) };
    },
  });
}
