/** Who calls. The tenant comes from the credential, never from a message. */

import type { Metadata } from '@grpc/grpc-js';

import { DEFAULT_TENANT } from '../domain/charge.ts';

/** The tenant of a call, from its metadata. Until credentials exist every caller is the one tenant. */
export const tenantOf: (metadata: Metadata) => string = () => DEFAULT_TENANT;
