/** What a caller says besides its message. */

import type { Metadata } from '@grpc/grpc-js';

import type { Failure } from '../errors/failure.ts';
import type { PeerCertificate } from './peer-certificate.ts';

/** The headers of a call. */
export interface Headers {
  /** The value under a name in lower case, or undefined. Text only: never a `-bin` header. */
  header(name: string): string | undefined;
}

/** What tells who calls: the headers of the call, and the certificate of its connection. */
export interface CallHeaders extends Headers {
  /** The certificate that the caller presented and that was verified, or undefined. */
  certificate(): PeerCertificate | undefined;
}

/** The first text under a name. */
export function headerOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === 'string' ? value : undefined;
}

/** The caller's own id of a call. It is logged with the call, and returned as it came. */
export const REQUEST_ID_HEADER = 'x-request-id';
/** Other values could not be a header of the response, or would be too long for a line of the log. */
const REQUEST_ID = /^[!-~](?:[ -~]{0,126}[!-~])?$/;

/** The caller's `x-request-id`, or undefined if it sent none or not 1 to 128 characters of printable ASCII. */
export function requestIdOf(headers: Headers): string | undefined {
  const value = headers.header(REQUEST_ID_HEADER);
  return value !== undefined && REQUEST_ID.test(value) ? value : undefined;
}

/** The size of a list of headers as RFC 9113 counts it: names, values, and 32 bytes for each. */
export function headerListBytes(headers: Readonly<Record<string, string | string[] | undefined>>): number {
  let bytes = 0;
  for (const [name, value = ''] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) bytes += name.length + one.length + 32;
  }
  return bytes;
}

/** The failure of every call with a compressed message. */
export const COMPRESSED: Failure = {
  code: 'UNIMPLEMENTED',
  reason: 'COMPRESSION_UNSUPPORTED',
  message: 'Compressed requests are not supported. Send the message without compression.',
};

/** Whether a `grpc-encoding` means compression. */
export function isCompressed(encoding: string | string[] | undefined): boolean {
  return encoding !== undefined && encoding !== 'identity';
}

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};
/** grpc-js counts milliseconds in 32 bits: from 597 hours on the call would end at once. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;
const TIMEOUT_MAX = '596H';

/** A `grpc-timeout` that grpc-js can keep, nothing if the header is absent, or why it cannot be read. */
export function callTimeout(header: string | string[] | undefined): {
  readonly value?: string;
  readonly failure?: Failure;
} {
  if (header === undefined) return NO_TIMEOUT;
  const [, digits, unit] = (typeof header === 'string' && TIMEOUT.exec(header)) || [];
  if (digits === undefined || unit === undefined) return { failure: TIMEOUT_INVALID };
  const ms = Number(digits) * (UNIT_MS[unit] ?? 0);
  return { value: ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX : (header as string) };
}

const NO_TIMEOUT = {};

const TIMEOUT_INVALID: Failure = {
  code: 'INVALID_ARGUMENT',
  reason: 'METADATA_INVALID',
  message: 'The header grpc-timeout must be 1 to 8 digits and one of the units H, M, S, m, u and n.',
  metadata: { header: 'grpc-timeout' },
};
