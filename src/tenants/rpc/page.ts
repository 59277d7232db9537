/** Pages of lists. */

import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';

/** Items of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;

/** How many items the page may have. */
export function pageSizeOf({ pageSize }: { readonly pageSize: number }): number {
  return Math.min(pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
}

/** The token of a page that begins after this id; undefined: there is none. `list`: see `sealPageToken`. */
export function tokenAfter(id: string | undefined, list: unknown): string {
  return id === undefined ? '' : sealPageToken(Buffer.from(id), list);
}

/** The id that the page begins after; undefined: it is the first one. Throws `page_token_invalid`. */
export function idBefore(pageToken: string, list: unknown): string | undefined {
  if (pageToken === '') return undefined;
  const id = openPageToken(pageToken, undefined, list).toString();
  // Anybody can make a token with a right digest. PostgreSQL knows no U+0000.
  if (id.includes('\0')) throw new ServiceError(pageTokenInvalid());
  return id;
}
