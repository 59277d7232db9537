/** Who a caller is by its certificate. */

import type { PeerCertificate as NodeCertificate } from 'node:tls';

/** The certificate of a client, verified against the authorities in TLS_CLIENT_CA_FILE. */
export interface PeerCertificate {
  /** Empty if the subject has none, or more than one. */
  readonly commonName: string;
  /** URIs among the alternative names, such as `spiffe://example.org/billing`. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** SHA-256 of the certificate: pairs of hexadecimal digits in upper case, with colons between. */
  readonly fingerprint256: string;
}

/** A call of grpc-js, as far as its connection is concerned. */
export interface AuthenticatedCall {
  getAuthContext(): { readonly sslPeerCertificate?: NodeCertificate };
}

const read = new WeakMap<NodeCertificate, PeerCertificate>();

/** The certificate of the caller, or undefined if it presented none. Read once for each connection. */
export function peerCertificateOf(call: AuthenticatedCall): PeerCertificate | undefined {
  const { sslPeerCertificate: certificate } = call.getAuthContext();
  if (certificate === undefined) return undefined;
  let peer = read.get(certificate);
  if (peer === undefined) read.set(certificate, (peer = toPeerCertificate(certificate)));
  return peer;
}

function toPeerCertificate(certificate: NodeCertificate): PeerCertificate {
  const commonName: unknown = certificate.subject.CN;
  const names = alternativeNames(certificate.subjectaltname ?? '');
  const ofKind = (wanted: string): string[] =>
    names.flatMap(([kind, name]) => (kind === wanted ? [name] : []));
  return {
    commonName: typeof commonName === 'string' ? commonName : '',
    uris: ofKind('URI'),
    dnsNames: ofKind('DNS'),
    fingerprint256: certificate.fingerprint256,
  };
}

/** Node quotes a name, as JSON does, that could be taken for several. */
const NAME = /(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/gy;

/** `DNS:a, URI:spiffe://a/b` as pairs. None at all if one of them cannot be read. */
function alternativeNames(text: string): [kind: string, name: string][] {
  const matches = [...text.matchAll(NAME)];
  if (matches.reduce((length, [match]) => length + match.length, 0) !== text.length) return [];
  return matches.map(([, kind = '', name = '']) => [
    kind,
    name.startsWith('"') ? (JSON.parse(name) as string) : name,
  ]);
}
