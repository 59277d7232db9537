/** Who calls. The tenant comes from the credential, never from a message. */

import type { Metadata } from '@grpc/grpc-js';

import { DEFAULT_TENANT } from '../domain/charge.ts';

/** The tenant of a call. Until credentials exist every caller is the one tenant. */
export function tenantOf(_metadata: Metadata): string {
  return DEFAULT_TENANT;
}
