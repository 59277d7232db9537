/** Converts between user profiles and their messages. */

import type { UserProfile as ProtoUserProfile } from '../../../generated/charge/v1/user_profile_service.ts';
import { toProtoTimestamp } from '../../grpc/timestamp.ts';
import type { UserProfile, UserProfileContent } from '../user-profile.ts';

/** The message of a user profile. */
export function toProtoUserProfile(userProfile: UserProfile): ProtoUserProfile {
  const { id, displayName, email, createTimeMicros, updateTimeMicros, disableTimeMicros } = userProfile;
  return {
    id,
    displayName,
    email,
    labels: new Map(userProfile.labels),
    externalIds: new Map(userProfile.externalIds),
    createTime: toProtoTimestamp(createTimeMicros),
    updateTime: toProtoTimestamp(updateTimeMicros),
    disableTime: disableTimeMicros === undefined ? undefined : toProtoTimestamp(disableTimeMicros),
  };
}

/** A user profile that satisfies the contract's rules. Throws a TypeError if it is absent. */
export function fromProtoUserProfile(
  message: ProtoUserProfile | undefined,
): UserProfileContent & { readonly id: string } {
  if (message === undefined) throw new TypeError('a request without a user profile passed validation');
  const { id, displayName, email, labels, externalIds } = message;
  return { id, displayName, email, labels, externalIds };
}

const MEMBERS = new Map<string, keyof UserProfileContent>([
  ['display_name', 'displayName'],
  ['email', 'email'],
  ['labels', 'labels'],
  ['external_ids', 'externalIds'],
]);

/** The members that a field mask names, with their new values; without a mask, those that are set. */
export function maskedContent(
  content: UserProfileContent,
  mask: readonly string[] | undefined,
): Partial<UserProfileContent> {
  const named = mask?.flatMap((path) => MEMBERS.get(path) ?? []);
  const members = named ?? [...MEMBERS.values()].filter((member) => isSet(content[member]));
  return Object.fromEntries(members.map((member) => [member, content[member]]));
}

function isSet(value: UserProfileContent[keyof UserProfileContent]): boolean {
  return typeof value === 'string' ? value !== '' : value.size > 0;
}
