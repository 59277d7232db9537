/** What proves to NATS who this service is, and to this service that it is NATS: in files, so that it can be renewed. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** Variables that name a file, except for NATS_USER. */
export const NATS_ACCESS_VARIABLES = [
  /** A JWT and the seed of its nkey, as `nsc` writes them. */
  'NATS_CREDS_FILE',
  /** The seed of a user's nkey. */
  'NATS_NKEY_SEED_FILE',
  'NATS_TOKEN_FILE',
  'NATS_USER',
  'NATS_PASSWORD_FILE',
  /** Certificates of the authorities that are trusted instead of those that Node brings along. */
  'NATS_TLS_CA_FILE',
  /** This service's own certificate, followed by those of intermediate authorities, and its key. */
  'NATS_TLS_CERT_FILE',
  'NATS_TLS_KEY_FILE',
] as const;
type Variable = (typeof NATS_ACCESS_VARIABLES)[number];

/** The variables that are set. */
export type NatsAccess = Readonly<Partial<Record<Variable, string>>>;

/** What the files say. */
export interface NatsSecrets {
  readonly creds: Buffer | undefined;
  readonly seed: string | undefined;
  readonly token: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Undefined: TLS only if the URL asks for it. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** Thrown with everything that is wrong. A fault names the variable, and nothing of what its file says. */
export class NatsAccessError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('; '));
    this.name = 'NatsAccessError';
    this.faults = faults;
  }
}

/** Each is enough by itself. */
const CREDENTIALS: readonly Variable[] = [
  'NATS_CREDS_FILE',
  'NATS_NKEY_SEED_FILE',
  'NATS_TOKEN_FILE',
  'NATS_USER',
];
/** Neither is of use without the other one. */
const PAIRS: readonly (readonly [Variable, Variable])[] = [
  ['NATS_USER', 'NATS_PASSWORD_FILE'],
  ['NATS_TLS_CERT_FILE', 'NATS_TLS_KEY_FILE'],
];
const SEED = /^SU[A-Z2-7]{56}$/;
const CREDS =
  /-----BEGIN NATS USER JWT-----\s+[\w.-]+\s+-+END[^]*-----BEGIN USER NKEY SEED-----\s+SU[A-Z2-7]{56}\s+-+END/;

/** For one connection to `url`, whose user or token counts as well. Throws a {@link NatsAccessError}. */
export function readNatsAccess(access: NatsAccess, url: string): NatsSecrets {
  const faults: string[] = [];
  const named = CREDENTIALS.filter((name) => access[name] !== undefined);
  const given = hasUser(url) ? ['NATS_URL', ...named] : named;
  if (given.length > 1) faults.push(`${given.join(' and ')} each have a credential: keep one of them`);
  for (const [one, other] of PAIRS) {
    if ((access[one] === undefined) !== (access[other] === undefined))
      faults.push(`${one} and ${other} must both be set, or none of them`);
  }
  const read = (name: Variable): string | undefined => {
    const path = access[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (error) {
      faults.push(
        `${name} names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      );
      return undefined;
    }
  };
  const readLike = (name: Variable, form: RegExp, what: string): string | undefined => {
    const text = read(name);
    if (text !== undefined && !form.test(text))
      faults.push(`${name} names a file that does not have ${what}`);
    return text;
  };
  const creds = readLike('NATS_CREDS_FILE', CREDS, 'the JWT and the nkey seed of a user, as nsc writes them');
  const secrets = {
    creds: creds === undefined ? undefined : Buffer.from(`${creds}\n`),
    seed: readLike('NATS_NKEY_SEED_FILE', SEED, 'the nkey seed of a user (SU…) and nothing else'),
    token: readLike('NATS_TOKEN_FILE', /./, 'a token'),
    user: access.NATS_USER,
    password: readLike('NATS_PASSWORD_FILE', /./, 'a password'),
    tls: tlsOf(read, faults),
  };
  if (faults.length > 0) throw new NatsAccessError(faults);
  return secrets;
}

function tlsOf(read: (name: Variable) => string | undefined, faults: string[]): NatsSecrets['tls'] {
  const [ca, cert, key] = [read('NATS_TLS_CA_FILE'), read('NATS_TLS_CERT_FILE'), read('NATS_TLS_KEY_FILE')];
  const check = (names: string, attempt: () => void): void => {
    try {
      attempt();
    } catch {
      // The reason of OpenSSL says nothing to people, and might quote the file.
      faults.push(names);
    }
  };
  // A context takes a file without any certificate for an authority, and trusts nobody then.
  if (ca !== undefined) {
    check(
      'NATS_TLS_CA_FILE names a file that does not have a certificate in PEM',
      () => new X509Certificate(ca),
    );
  }
  if (cert !== undefined && key !== undefined) {
    const what =
      'NATS_TLS_CERT_FILE and NATS_TLS_KEY_FILE must name a certificate and its own key, without a passphrase, in PEM';
    check(what, () => createSecureContext({ cert, key }));
  }
  if (ca === undefined && cert === undefined) return undefined;
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}

/** A user, or a token in its place. */
function hasUser(url: string): boolean {
  return Boolean(URL.parse(url.split(',')[0]?.trim() ?? '')?.username);
}
