/** ListUserProfiles: by id, in pages. */

import {
  ListUserProfilesRequest,
  ListUserProfilesResponse,
  UserProfile as ProtoUserProfile,
} from '../../../generated/charge/v1/user_profile_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinPageBytes } from '../../grpc/page-bytes.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { UserProfileReader } from '../ports.ts';
import { idBefore, pageSizeOf, tokenAfter } from './page.ts';
import { toProtoUserProfile } from './user-profile-messages.ts';

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
    async handle(request, { tenant }) {
      const { pageToken, labels } = request;
      const list = listOf(tenant, labels);
      const after = idBefore(pageToken, list);
      const page = await reader.list(tenant, { labels, after, limit: pageSizeOf(request) });
      const userProfiles = withinPageBytes(ProtoUserProfile, page.userProfiles.map(toProtoUserProfile));
      const isCut = userProfiles.length < page.userProfiles.length;
      const next = isCut ? userProfiles.at(-1)?.id : page.next;
      return { userProfiles, nextPageToken: tokenAfter(next, list) };
    },
  });
}

function listOf(tenant: string, labels: ReadonlyMap<string, string>): unknown {
  return ['ListUserProfiles', tenant, [...labels].sort(([a], [b]) => (a < b ? -1 : 1))];
}
