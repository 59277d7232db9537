/** Which client certificate is which tenant's: the file that TLS_CLIENT_IDENTITIES_FILE names. */

import type { PeerCertificate } from '../../grpc/peer-certificate.ts';
import { type Principal, type Scope, SCOPES } from '../../grpc/principal.ts';
import { isTenantId } from '../tenant.ts';
import { nameForLog } from './name-for-log.ts';

/** Which certificates, and what they may do. */
interface Identity extends Omit<Principal, 'name'> {
  readonly kind: (typeof KINDS)[number];
  readonly name: string;
}

const KINDS = ['uri', 'dns', 'common_name'] as const;
const MEMBERS = new Set<string>([...KINDS, 'tenant', 'scopes', 'user_profile']);

/** The identities of a file, in its order. */
export type ClientIdentities = readonly Identity[];

/** Reads a list of `{"uri" | "dns" | "common_name", "tenant", "scopes", "user_profile"?}`. Throws if an entry is wrong. */
export function parseClientIdentities(text: string): ClientIdentities {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error('it must hold a JSON list');
  return list.map((entry, index) => {
    const fault = faultOf(entry);
    if (fault !== undefined) throw new Error(`entry ${index + 1}: ${fault}`);
    return toIdentity(entry as Record<string, string> & { scopes: string[] });
  });
}

/** What the first entry that names the certificate says; undefined: none does. */
export function principalOfCertificate(
  identities: ClientIdentities,
  certificate: PeerCertificate,
): Principal | undefined {
  const names = {
    uri: certificate.uris,
    dns: certificate.dnsNames,
    common_name: certificate.commonName === '' ? [] : [certificate.commonName],
  };
  const found = identities.find(({ kind, name }) => names[kind].includes(name));
  if (found === undefined) return undefined;
  const { tenant, scopes, userProfile, name } = found;
  return { tenant, scopes, userProfile, name: nameForLog('certificate', name) };
}

function toIdentity(entry: Record<string, string> & { scopes: string[] }): Identity {
  const kind = KINDS.find((candidate) => candidate in entry) ?? 'uri';
  return {
    kind,
    name: entry[kind] ?? '',
    tenant: entry['tenant'] ?? '',
    scopes: new Set(entry.scopes.map((scope) => scope.toUpperCase() as Scope)),
    userProfile: entry['user_profile'],
  };
}

function faultOf(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'it must be an object';
  const members = entry as Record<string, unknown>;
  const unknown = Object.keys(members).filter((name) => !MEMBERS.has(name));
  if (unknown.length > 0) return `${unknown.join(' and ')} is not known`;
  const named = KINDS.filter((kind) => kind in members);
  const [kind] = named;
  if (kind === undefined || named.length > 1) return `it must have one of ${KINDS.join(', ')}`;
  if (!isText(members[kind])) return `${kind} must be a text`;
  if (!isTenantId(members['tenant'])) return 'tenant must be the id of a tenant';
  const { scopes } = members;
  const isScope = (scope: unknown): boolean =>
    typeof scope === 'string' && SCOPES.includes(scope.toUpperCase() as Scope);
  if (!Array.isArray(scopes) || scopes.length === 0 || !scopes.every(isScope)) {
    return `scopes must be a list of ${SCOPES.join(', ').toLowerCase()}`;
  }
  if ('user_profile' in members && !isText(members['user_profile'])) return 'user_profile must be a text';
  return undefined;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
