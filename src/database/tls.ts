/** TLS to PostgreSQL, with the meaning that libpq gives to `sslmode` and the files. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  checkServerIdentity,
  type ConnectionOptions,
  createSecureContext,
  getCACertificates,
} from 'node:tls';

/**
 * - `disable`: no TLS.
 * - `allow`: TLS if the server refuses a connection without it.
 * - `prefer`: TLS if the server offers it.
 * - `require`: TLS. With `sslrootcert`, the certificate is verified as with `verify-ca`.
 * - `no-verify`: TLS, and no certificate is ever verified. libpq has no name for it.
 * - `verify-ca`: the certificate must come from the authority in `sslrootcert`.
 * - `verify-full`: and it must be for this host.
 */
export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'no-verify',
  'verify-ca',
  'verify-full',
] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** What the URL says about TLS. The members but `mode` are paths of PEM files. */
export interface TlsSettings {
  readonly mode: SslMode;
  /** `system`: the authorities of the operating system. Undefined: those that Node brings along. */
  readonly rootCert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** What is wrong with the settings or their files; nothing while TLS is disabled, as in libpq. */
export function tlsFaults(settings: TlsSettings): string[] {
  const { mode, rootCert, cert, key } = settings;
  if (mode === 'disable') return [];
  if ((cert === undefined) !== (key === undefined))
    return ['must have both sslcert and sslkey, or none of them'];
  if (mode === 'verify-ca' && rootCert === undefined) {
    return ['must name the file of the authority for sslmode=verify-ca: add sslrootcert=/path/ca.crt'];
  }
  if (rootCert === 'system' && mode !== 'verify-full')
    return ['must have sslmode=verify-full with sslrootcert=system'];
  const faults: string[] = [];
  const check = (what: string, attempt: () => void): void => {
    try {
      attempt();
    } catch (error) {
      faults.push(`names files in ${what} that cannot be used: ${(error as Error).message}`);
    }
  };
  // A context takes a file without any certificate for an authority, and trusts nobody then.
  if (rootCert !== undefined && rootCert !== 'system') {
    check('sslrootcert', () => new X509Certificate(readFileSync(rootCert)));
  }
  if (cert !== undefined) check('sslcert and sslkey', () => createSecureContext(clientCertificate(settings)));
  return faults;
}

/** For one connection to `host`. Reads the files again: a certificate may have been renewed. */
export function tlsOptions(settings: TlsSettings, host: string): ConnectionOptions {
  const { mode, rootCert } = settings;
  const verifies = mode.startsWith('verify-') || (rootCert !== undefined && mode !== 'no-verify');
  return {
    // pg names the host only if it is no IP address; Node would take the certificate of `localhost` then.
    host,
    ...clientCertificate(settings),
    ...(rootCert !== undefined && {
      ca: rootCert === 'system' ? getCACertificates('system') : readFileSync(rootCert),
    }),
    rejectUnauthorized: verifies,
    checkServerIdentity: mode === 'verify-full' ? checkHost : () => undefined,
  };
}

function clientCertificate({ cert, key }: TlsSettings): Pick<ConnectionOptions, 'cert' | 'key'> {
  return cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) };
}

/** Node's check, and libpq's rule for certificates that have no list of names. */
const checkHost: typeof checkServerIdentity = (host, certificate) =>
  certificate.subjectaltname === undefined && certificate.subject.CN === host
    ? undefined
    : checkServerIdentity(host, certificate);
