/** Certificates of a test, made by the openssl of the machine when they are needed. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe } from '@jest/globals';

import type { ServerCertificate } from '../../src/tls/certificate.ts';
import { findOnPath, skipNote } from './tools.ts';

const opensslPath = findOnPath('openssl');

/** `describe`, skipped where there is no openssl. */
export const withOpenssl: (name: string, suite: () => void) => void = (name, suite) => {
  if (opensslPath !== undefined) return describe(name, suite);
  const note = skipNote('openssl', { path: undefined, reason: 'there is no openssl on PATH' });
  describe.skip(`${name}${note}`, suite);
};

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate and its key, as files and as text. */
export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** What a certificate may say. */
export interface Subject {
  readonly commonName?: string;
  /** As openssl writes them: `DNS:localhost,IP:127.0.0.1`. */
  readonly names?: string;
  /** `server` or `client`. */
  readonly purpose?: 'serverAuth' | 'clientAuth';
  /** When it expires, in days from now. Negative: it has expired. */
  readonly days?: number;
}

/** An authority and a folder with what it has issued. */
export class Authority {
  readonly #directory = mkdtempSync(join(tmpdir(), 'charge-certificates-'));
  #count = 0;
  /** The authority's own certificate. */
  readonly certFile = join(this.#directory, 'authority.crt');
  readonly #keyFile = join(this.#directory, 'authority.key');

  static async create(): Promise<Authority> {
    const authority = new Authority();
    const { certFile } = authority;
    const subject = ['-days', '2', '-subj', '/CN=test authority'];
    await openssl('req', '-x509', ...NEW_KEY, ...subject, '-keyout', authority.#keyFile, '-out', certFile);
    return authority;
  }

  get directory(): string {
    return this.#directory;
  }

  /** By default for a server at 127.0.0.1 and localhost. */
  async issue({
    commonName = 'test server',
    names = 'DNS:localhost,IP:127.0.0.1',
    purpose = 'serverAuth',
    days = 30,
  }: Subject = {}): Promise<Issued> {
    const path = join(this.#directory, `${this.#count++}`);
    const [keyFile, requestFile, certFile] = [`${path}.key`, `${path}.csr`, `${path}.crt`];
    const extensions = ['-addext', `extendedKeyUsage=${purpose}`];
    if (names !== '') extensions.push('-addext', `subjectAltName=${names}`);
    const subject = ['-subj', `/CN=${commonName}`, ...extensions];
    await openssl('req', ...NEW_KEY, ...subject, '-keyout', keyFile, '-out', requestFile);
    const signing = ['-CA', this.certFile, '-CAkey', this.#keyFile, '-copy_extensions', 'copy'];
    const validity = ['-days', `${days}`];
    await openssl('x509', '-req', '-in', requestFile, ...signing, ...validity, '-out', certFile);
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    return { certFile, keyFile, cert, key };
  }

  /** A certificate for clients. */
  client(commonName: string, names = ''): Promise<Issued> {
    return this.issue({ commonName, names, purpose: 'clientAuth' });
  }

  get cert(): Promise<string> {
    return readFile(this.certFile, 'utf8');
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** What a server is given. */
export function serverCertificate({ cert, key }: Issued, clientCa?: string): ServerCertificate {
  return { cert, key, clientCa };
}

async function openssl(...args: string[]): Promise<void> {
  await promisify(execFile)('openssl', args);
}
