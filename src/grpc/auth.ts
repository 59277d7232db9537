/** Who calls. The tenant comes from the credential, never from a message. */

import { DEFAULT_TENANT } from '../charges/charge.ts';
import type { CallHeaders } from './call-headers.ts';

/** The tenant of a call, from its headers. Until credentials exist every caller is the one tenant. */
export const tenantOf: (headers: CallHeaders) => string = () => DEFAULT_TENANT;
