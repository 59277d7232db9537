/** Whether the files that the configuration names can be used: checked once, at the start. */

import { parseClientIdentities } from './client-identities.ts';
import { readParsed } from './followed-file.ts';
import { parseJwks } from './json-web-tokens.ts';
import type { CredentialSettings } from './settings.ts';

/** Every fault, as a sentence without its full stop. */
export function credentialFaults({ jwt, clientIdentitiesFile }: CredentialSettings): string[] {
  const faults: string[] = [];
  const check = (variable: string, path: string, parse: (text: string) => unknown): void => {
    try {
      readParsed(variable, path, parse);
    } catch (error) {
      faults.push((error as Error).message);
    }
  };
  if (jwt !== undefined && 'file' in jwt.keys) check('JWT_JWKS_FILE', jwt.keys.file, parseJwks);
  if (clientIdentitiesFile !== undefined) {
    check('TLS_CLIENT_IDENTITIES_FILE', clientIdentitiesFile, parseClientIdentities);
  }
  return faults;
}
