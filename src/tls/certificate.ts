/** The certificate that the service shows its clients: its files, what they hold, and what may be wrong with it. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate of the service, and after it those of the authorities in between. */
  readonly certFile: string;
  /** Its private key, without a passphrase. */
  readonly keyFile: string;
  /** The authorities of client certificates. Undefined: clients are not asked for one. */
  readonly clientCaFile: string | undefined;
  /** Whether clients without a certificate are refused. One that is presented is verified either way. */
  readonly clientCertificate: ClientCertificateRule;
}

export const CLIENT_CERTIFICATE_RULES = ['optional', 'required'] as const;
export type ClientCertificateRule = (typeof CLIENT_CERTIFICATE_RULES)[number];

/** What the files hold, as text. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** A certificate that is served from the start on. */
export interface ServedTls {
  readonly files: TlsFiles;
  readonly certificate: ServerCertificate;
  /** One that the certificate is for: see {@link hostOf}. */
  readonly host: string | undefined;
}

/** What was read. If there is a fault, it cannot be used. */
export type ReadCertificate =
  | { readonly certificate: ServerCertificate; readonly faults: readonly [] }
  | { readonly certificate: undefined; readonly faults: readonly string[] };

/** Reads the files and checks that a server can use them now. Every fault begins with the variable that names the file. */
export function readCertificate({ certFile, keyFile, clientCaFile }: TlsFiles): ReadCertificate {
  const faults: string[] = [];
  const read = (variable: string, path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      faults.push(`${variable} names a file that cannot be read: ${(error as Error).message}`);
      return '';
    }
  };
  const certificate = {
    cert: read('TLS_CERT_FILE', certFile),
    key: read('TLS_KEY_FILE', keyFile),
    clientCa: clientCaFile === undefined ? undefined : read('TLS_CLIENT_CA_FILE', clientCaFile),
  };
  if (faults.length === 0) faults.push(...certificateFaults(certificate));
  return faults.length > 0 ? { certificate: undefined, faults } : { certificate, faults: [] };
}

/** The end of the certificate's validity in milliseconds since 1970. */
export function expiryOf({ cert }: ServerCertificate): number {
  return new X509Certificate(cert).validToDate.getTime();
}

/** A host that the certificate is for: the first of its names and addresses. */
export function hostOf({ cert }: ServerCertificate): string | undefined {
  const { subjectAltName = '' } = new X509Certificate(cert);
  return /(?:DNS|IP Address):([^,"]+)/.exec(subjectAltName)?.[1]?.replace('*', 'charge');
}

/**
 * For servers. Of TLS 1.2 only the suites that HTTP/2 allows (RFC 9113, appendix A), which keep earlier traffic secret
 * if the key is stolen.
 */
export function secureContextOptions({ cert, key, clientCa }: ServerCertificate): SecureContextOptions {
  return {
    cert,
    key,
    ...(clientCa !== undefined && { ca: certificatesIn(clientCa) }),
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers:
      'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20',
  };
}

/** Every certificate of a PEM file that may hold many. */
function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function certificateFaults(certificate: ServerCertificate): string[] {
  const { cert, key, clientCa } = certificate;
  const faults: string[] = [];
  const attempt = <T>(what: string, parse: () => T): T | undefined => {
    try {
      return parse();
    } catch (error) {
      faults.push(`${what}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const own = attempt('TLS_CERT_FILE holds no certificate in PEM', () => new X509Certificate(cert));
  const privateKey = attempt('TLS_KEY_FILE holds no private key in PEM without a passphrase', () =>
    createPrivateKey(key),
  );
  if (own !== undefined) faults.push(...validityFaults(own));
  if (own !== undefined && privateKey !== undefined && !own.checkPrivateKey(privateKey))
    faults.push('TLS_KEY_FILE holds a key that is not the one of the certificate in TLS_CERT_FILE');
  if (clientCa !== undefined) faults.push(...authorityFaults(clientCa));
  if (faults.length === 0) {
    attempt('TLS_CERT_FILE and TLS_KEY_FILE cannot be used', () =>
      createSecureContext(secureContextOptions(certificate)),
    );
  }
  return faults;
}

function validityFaults({ validFromDate, validToDate }: X509Certificate): string[] {
  const now = Date.now();
  if (validToDate.getTime() <= now)
    return [`TLS_CERT_FILE holds a certificate that expired at ${validToDate.toISOString()}`];
  return validFromDate.getTime() > now
    ? [`TLS_CERT_FILE holds a certificate that is valid only from ${validFromDate.toISOString()} on`]
    : [];
}

function authorityFaults(clientCa: string): string[] {
  const authorities = certificatesIn(clientCa);
  if (authorities.length === 0) return ['TLS_CLIENT_CA_FILE holds no certificate in PEM'];
  try {
    for (const authority of authorities) new X509Certificate(authority);
    return [];
  } catch (error) {
    return [`TLS_CLIENT_CA_FILE holds a certificate that cannot be read: ${(error as Error).message}`];
  }
}
