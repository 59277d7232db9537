/** How the log and the audit log name who makes a call. */

import { excerpt } from '../../errors/failure.ts';

/** The name without control characters, which PostgreSQL would refuse, and no longer than 200 characters. */
export function nameForLog(kind: 'api_key' | 'jwt' | 'certificate', name: string): string {
  return excerpt(`${kind}:${name.replaceAll(/\p{Cc}/gu, '')}`);
}
