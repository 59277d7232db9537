/** GetUserProfile: one user profile, by its id. */

import {
  GetUserProfileRequest,
  GetUserProfileResponse,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { userProfileNotFound } from '../errors.ts';
import type { UserProfileReader } from '../ports.ts';
import { toProtoUserProfile } from './user-profile-messages.ts';

/** The method on a reader. */
export function getUserProfile(reader: UserProfileReader, check: Check<GetUserProfileRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetUserProfileRequest, bytes),
    validate: check,
    response: GetUserProfileResponse,
    async handle({ id }, { tenant, principal }) {
      // A credential for one user profile must not learn which others there are.
      const isVisible = (principal.userProfile ?? id) === id;
      const userProfile = isVisible ? await reader.find(tenant, id) : undefined;
      if (userProfile === undefined) throw new ServiceError(userProfileNotFound(id));
      return { userProfile: toProtoUserProfile(userProfile) };
    },
  });
}
