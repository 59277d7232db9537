/** Notices that the files of the certificate were replaced. */

import { isDeepStrictEqual } from 'node:util';

import {
  type ReadCertificate,
  readCertificate,
  type ServerCertificate,
  type TlsFiles,
} from './certificate.ts';

/** Who is told what was found. */
export interface CertificateEvents {
  /** The files hold another certificate, which can be used: from now on it is the one to serve. */
  changed(certificate: ServerCertificate): void;
  /** After every look: why what the files hold now cannot be used. Empty: it is what is served. */
  looked(faults: readonly string[]): void;
}

/**
 * Reads the files every `periodMs`, so it does not matter how they are replaced, for example by a change of symbolic
 * links. They are replaced one after the other, so what was read counts once it is the same two times in a row.
 * Returns a function that ends it.
 */
export function watchCertificate(
  files: TlsFiles,
  first: ServerCertificate,
  periodMs: number,
  events: CertificateEvents,
): () => void {
  let served = first;
  let last: ReadCertificate = { certificate: first, faults: [] };
  const look = (): void => {
    const read = readCertificate(files);
    const isSettled = isDeepStrictEqual(read, last);
    last = read;
    if (!isSettled) return;
    if (read.certificate !== undefined && !isDeepStrictEqual(read.certificate, served)) {
      served = read.certificate;
      events.changed(served);
    }
    events.looked(read.faults);
  };
  const timer = setInterval(look, periodMs);
  return () => clearInterval(timer);
}
