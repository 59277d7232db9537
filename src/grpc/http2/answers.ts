/** Answers of unary calls as header blocks: the headers and trailers of grpc-js. */

import { status as Code } from '@grpc/grpc-js';

import type { CallError } from '../status.ts';
import type { HeaderField } from './hpack-decoder.ts';
import { encodeFields } from './hpack-encoder.ts';

const STATUS_FIELDS: readonly HeaderField[] = [
  [':status', '200'],
  ['content-type', 'application/grpc+proto'],
];
const MESSAGE_FIELDS: readonly HeaderField[] = [
  ...STATUS_FIELDS,
  ['grpc-accept-encoding', 'identity,deflate,gzip'],
  ['grpc-encoding', 'identity'],
];

/** What `grpc-message` can hold of a text, and its status; throws where the text has half a surrogate pair. */
function statusFields(code: Code, text: string): HeaderField[] {
  return [
    ['grpc-status', String(code)],
    ['grpc-message', encodeURI(text)],
  ];
}

/** Trailers with a status and its text. */
export function statusTrailers(code: Code, text: string): Buffer {
  return encodeFields(statusFields(code, text));
}

/** The trailers behind a message. */
export const OK_TRAILERS = statusTrailers(Code.OK, 'OK');

/** The headers in front of a message. */
export function messageHeaders(): Buffer {
  const second = Math.trunc(Date.now() / 1000);
  if (second !== prepared.second) {
    prepared.second = second;
    prepared.block = encodeFields([...MESSAGE_FIELDS, dateField()]);
  }
  return prepared.block;
}

const prepared: { second: number; block: Buffer } = { second: 0, block: Buffer.alloc(0) };

/** The headers of an answer that is a status alone; `metadata`: what is sent beside it. */
export function statusHeaders(code: Code, text: string, metadata?: CallError['metadata']): Buffer {
  const more = metadata === undefined ? [] : fieldsOf(metadata);
  return encodeFields([...STATUS_FIELDS, ...statusFields(code, text), dateField(), ...more]);
}

function fieldsOf(metadata: CallError['metadata']): HeaderField[] {
  return Object.entries(metadata.toHttp2Headers()).flatMap(([name, value]) =>
    [value ?? []].flat().map((text): HeaderField => [name, String(text)]),
  );
}

/** HTTP wants it of every server that has a clock. */
function dateField(): HeaderField {
  return ['date', new Date().toUTCString()];
}
