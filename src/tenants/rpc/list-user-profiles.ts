/** ListUserProfiles: by id, in pages. */

import {
  ListUserProfilesRequest,
  ListUserProfilesResponse,
  UserProfile as ProtoUserProfile,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinPageBytes } from '../../grpc/page-bytes.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { UserProfileReader } from '../ports.ts';
import { toProtoUserProfile } from './user-profile-messages.ts';

/** User profiles of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;

/** The method on a reader. */
export function listUserProfiles(
  reader: UserProfileReader,
  check: Check<ListUserProfilesRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListUserProfilesRequest, bytes),
    validate: check,
    response: ListUserProfilesResponse,
    hasLargeResponse: true,
    async handle({ pageSize, pageToken, labels }, { tenant }) {
      const identity = identityOf(tenant, labels);
      const after = pageToken === '' ? undefined : openPlace(pageToken, identity);
      const limit = Math.min(pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
      const page = await reader.list(tenant, { labels, after, limit });
      const userProfiles = withinPageBytes(ProtoUserProfile, page.userProfiles.map(toProtoUserProfile));
      const isCut = userProfiles.length < page.userProfiles.length;
      const next = isCut ? userProfiles.at(-1)?.id : page.next;
      const nextPageToken = next === undefined ? '' : sealPageToken(Buffer.from(next), identity);
      return { userProfiles, nextPageToken };
    },
  });
}

function openPlace(token: string, identity: unknown): string {
  const id = openPageToken(token, undefined, identity).toString();
  // Anybody can make a token with a right digest. PostgreSQL knows no U+0000.
  if (id.includes('\0')) throw new ServiceError(pageTokenInvalid());
  return id;
}

function identityOf(tenant: string, labels: ReadonlyMap<string, string>): unknown {
  return ['ListUserProfiles', tenant, [...labels].sort(([a], [b]) => (a < b ? -1 : 1))];
}
