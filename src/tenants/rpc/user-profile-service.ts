/** `charge.v1.UserProfileService`: which method does what. */

import * as proto from '../../../generated/charge/v1/user_profile_service.ts';
import type { Codec } from '../../grpc/codec.ts';
import type { RpcService } from '../../grpc/service.ts';
import type { Check, ContractRules } from '../../grpc/validation.ts';
import type { Eraser, UserProfileReader, UserProfileWriter } from '../ports.ts';
import { createUserProfile } from './create-user-profile.ts';
import { disableUserProfile } from './disable-user-profile.ts';
import { enableUserProfile } from './enable-user-profile.ts';
import { eraseUserProfile } from './erase-user-profile.ts';
import { getUserProfile } from './get-user-profile.ts';
import { listUserProfiles } from './list-user-profiles.ts';
import { updateUserProfile } from './update-user-profile.ts';

/** What the service works on; it owns none of it. */
export interface UserProfileServiceDependencies {
  readonly reader: UserProfileReader;
  readonly writer: UserProfileWriter;
  readonly eraser: Eraser;
  readonly rules: ContractRules;
}

/** The service, ready to be added to a server. */
export function userProfileService({
  reader,
  writer,
  eraser,
  rules,
}: UserProfileServiceDependencies): RpcService<typeof proto.UserProfileServiceService> {
  const check = <T>(name: string, codec: Codec<T>): Check<T> => rules.checkOf(`charge.v1.${name}`, codec);
  return {
    name: 'charge.v1.UserProfileService',
    definition: proto.UserProfileServiceService,
    methods: {
      createUserProfile: createUserProfile(
        writer,
        check('CreateUserProfileRequest', proto.CreateUserProfileRequest),
      ),
      getUserProfile: getUserProfile(reader, check('GetUserProfileRequest', proto.GetUserProfileRequest)),
      updateUserProfile: updateUserProfile(
        writer,
        check('UpdateUserProfileRequest', proto.UpdateUserProfileRequest),
      ),
      listUserProfiles: listUserProfiles(
        reader,
        check('ListUserProfilesRequest', proto.ListUserProfilesRequest),
      ),
      disableUserProfile: disableUserProfile(
        writer,
        check('DisableUserProfileRequest', proto.DisableUserProfileRequest),
      ),
      enableUserProfile: enableUserProfile(
        writer,
        check('EnableUserProfileRequest', proto.EnableUserProfileRequest),
      ),
      eraseUserProfile: eraseUserProfile(
        eraser,
        check('EraseUserProfileRequest', proto.EraseUserProfileRequest),
      ),
    },
  };
}
