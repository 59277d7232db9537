/** The variables about credentials. */

/** How callers prove who they are. */
export interface CredentialSettings {
  /** False: a call without a credential is the operator's. One that is presented is verified either way. */
  readonly required: boolean;
  /** Undefined: no tokens are accepted. */
  readonly jwt: JwtSettings | undefined;
  /** The file that maps client certificates to tenants; undefined: none is mapped. */
  readonly clientIdentitiesFile: string | undefined;
}

/** Which JSON Web Tokens are accepted, and what their claims mean. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Where the public keys of the issuer are. */
  readonly keys: { readonly url: string } | { readonly file: string };
  readonly algorithms: readonly string[];
  readonly tenantClaim: string;
  readonly scopesClaim: string;
  readonly userProfileClaim: string;
}

/** No credential is needed, and only API keys are accepted. */
export const OPEN: CredentialSettings = { required: false, jwt: undefined, clientIdentitiesFile: undefined };

/** Reads variables and collects their faults: `Reader` of src/config.ts. */
interface VariableReader {
  readonly faults: string[];
  text(name: string): string | undefined;
  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T;
}

/**
 * Reads AUTHENTICATION, JWT_* and TLS_CLIENT_IDENTITIES_FILE. `onLoopback`: only this machine reaches the server.
 * `allowsInsecure`: the operator wants what is not safe.
 */
export function readCredentialSettings(
  reader: VariableReader,
  onLoopback: boolean,
  allowsInsecure: boolean,
): CredentialSettings {
  const rule = reader.oneOf('AUTHENTICATION', ['required', 'none'], onLoopback ? 'none' : 'required');
  if (rule === 'none' && !onLoopback && !allowsInsecure) {
    reader.faults.push(
      'AUTHENTICATION is none, and LISTEN is an address that other machines reach: every one of them could do ' +
        'everything. Set AUTHENTICATION=required, or ALLOW_INSECURE=true if that is intended',
    );
  }
  const clientIdentitiesFile = reader.text('TLS_CLIENT_IDENTITIES_FILE');
  if (clientIdentitiesFile !== undefined && reader.text('TLS_CLIENT_CA_FILE') === undefined) {
    reader.faults.push(
      'TLS_CLIENT_IDENTITIES_FILE needs TLS_CLIENT_CA_FILE, which verifies the certificates',
    );
  }
  return { required: rule === 'required', jwt: readJwt(reader), clientIdentitiesFile };
}

const JWT_VARIABLES = [
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'JWT_JWKS_URL',
  'JWT_JWKS_FILE',
  'JWT_ALGORITHMS',
  'JWT_TENANT_CLAIM',
  'JWT_SCOPES_CLAIM',
  'JWT_USER_PROFILE_CLAIM',
] as const;

function readJwt(reader: VariableReader): JwtSettings | undefined {
  const values = JWT_VARIABLES.map((name) => reader.text(name));
  const [issuer, audience, url, file, algorithms, tenantClaim, scopesClaim, userProfileClaim] = values;
  const given = JWT_VARIABLES.filter((_, index) => values[index] !== undefined);
  if (given.length === 0) return undefined;
  for (const [name, value] of Object.entries({ JWT_ISSUER: issuer, JWT_AUDIENCE: audience })) {
    if (value === undefined) reader.faults.push(`${name} must be set, because ${given.join(' and ')} is`);
  }
  if ((url === undefined) === (file === undefined)) {
    reader.faults.push('one of JWT_JWKS_URL and JWT_JWKS_FILE must be set for tokens, and not both');
  }
  if (url !== undefined) checkUrl(reader, url);
  return {
    issuer: issuer ?? '',
    audience: audience ?? '',
    keys: url === undefined ? { file: file ?? '' } : { url },
    algorithms: readAlgorithms(reader, algorithms),
    tenantClaim: tenantClaim ?? 'tenant',
    scopesClaim: scopesClaim ?? 'scope',
    userProfileClaim: userProfileClaim ?? 'user_profile',
  };
}

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** Whoever can change the keys on their way can make tokens. */
function checkUrl(reader: VariableReader, text: string): void {
  const url = URL.parse(text);
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK_HOSTS.includes(url.hostname));
  if (!isSafe) {
    reader.faults.push(
      'JWT_JWKS_URL must be a URL that starts with https://, or with http:// on this machine',
    );
  } else if (url.username !== '' || url.password !== '') {
    reader.faults.push('JWT_JWKS_URL must have no user and password');
  }
}

/** With a public key each. Nothing that is verified with a shared secret, and not `none`. */
const ALGORITHMS: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
const DEFAULT_ALGORITHMS = 'RS256,ES256,EdDSA';

function readAlgorithms(reader: VariableReader, text = DEFAULT_ALGORITHMS): string[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  const unknown = names.filter((name) => !ALGORITHMS.includes(name));
  if (unknown.length > 0 || names.length === 0) {
    reader.faults.push(
      `JWT_ALGORITHMS must be some of ${ALGORITHMS.join(', ')}; it is ${JSON.stringify(text)}`,
    );
  }
  return names;
}
