/** Which requests the lane takes; all else is for node:http2 and grpc-js to judge. */

import { describe, expect, test } from '@jest/globals';

import type { HeaderField } from '../../../src/grpc/http2/hpack-tables.ts';
import { unaryLane } from '../../../src/grpc/http2/unary-lane.ts';
import type { UnaryEndpoint } from '../../../src/grpc/unary-transport.ts';
import { requestFields } from './support/frames-client.ts';

const PATH = '/charge.v1.ChargeService/CreateCharge';
const lane = unaryLane([{ path: PATH } as UnaryEndpoint]);
const takes = (fields: readonly HeaderField[]): boolean => lane(fields) !== undefined;
const plain = (...more: HeaderField[]): HeaderField[] => requestFields(PATH, more);
const without = (left: string): HeaderField[] => plain().filter(([name]) => name !== left);

describe('the lane takes', () => {
  test.each<[string, readonly HeaderField[]]>([
    ['a plain call', plain()],
    ['headers in another order', [...plain().slice(0, 4).reverse(), ...plain().slice(4).reverse()]],
    ['https', plain().map(([name, value]) => [name, name === ':scheme' ? 'https' : value])],
    ['no te', without('te')],
    ['application/grpc+proto', [...without('content-type'), ['content-type', 'application/grpc+proto']]],
    ['identity', plain(['grpc-encoding', 'identity'])],
    ['what the caller could read', plain(['grpc-accept-encoding', 'identity,deflate,gzip'])],
    ['the shortest timeout', plain(['grpc-timeout', '0n'])],
    ['the longest timeout', plain(['grpc-timeout', '596H'])],
    ['others twice', plain(['x-tenant', 'a'], ['x-tenant', 'b'])],
    ['an empty value', plain(['x-a', ''])],
    ['spaces and tabs inside a value', plain(['x-a', 'b c\td'])],
    ['every character of names', plain(["a0!#$%&'*+.^_`|~-", '1'])],
  ])('%s', (_name, fields) => {
    expect(takes(fields)).toBe(true);
  });
});

/** A plain call with this header in the place of its own, in the same order. */
const instead = (name: string, value: string): HeaderField[] =>
  plain().map((field) => (field[0] === name ? [name, value] : field));

describe('the lane leaves alone', () => {
  test.each<[string, readonly HeaderField[]]>([
    ['nothing at all', []],
    ['PUT', instead(':method', 'PUT')],
    ['post', instead(':method', 'post')],
    ['another scheme', instead(':scheme', 'ftp')],
    ...['CreateCharge/', 'WatchCharges', 'createcharge', 'CreateCharge?a=b'].map(
      (method): [string, HeaderField[]] => [
        `the path of ${method}`,
        instead(':path', `/charge.v1.ChargeService/${method}`),
      ],
    ),
    ['an empty path', instead(':path', '')],
    ...[':method', ':scheme', ':authority', ':path', 'content-type'].map((name): [string, HeaderField[]] => [
      `no ${name}`,
      without(name),
    ]),
    ...plain().map((field): [string, HeaderField[]] => [
      `${field[0]} twice`,
      plain().flatMap((other) => (other[0] === field[0] ? [field, field] : [other])),
    ]),
    ['grpc-timeout twice', plain(['grpc-timeout', '1S'], ['grpc-timeout', '1S'])],
    ['grpc-encoding twice', plain(['grpc-encoding', 'identity'], ['grpc-encoding', 'identity'])],
    ['a pseudo header behind others', [...without(':path'), [':path', PATH]]],
    ['a pseudo header that is not known', [[':protocol', 'websocket'], ...plain()]],
    ['the pseudo header of responses', [[':status', '200'], ...plain()]],
    ['a name of a colon', [[':', 'a'], ...plain()]],
    ['bytes above ASCII in a value', plain(['x-a', '\x80ü\xff'])],
    ['an upper case name', plain(['X-A', '1'])],
    ['an upper case letter in a name', plain(['x-tenanT', '1'])],
    ['an empty name', plain(['', '1'])],
    ...[' ', '\t', '\0', '\r', '\n', '\x7f', ':', '/', '(', '"', 'ü'].map((char): [string, HeaderField[]] => [
      `${JSON.stringify(char)} in a name`,
      plain([`x${char}a`, '1']),
    ]),
    ...['\0', '\r', '\n', '\x08', '\x0b', '\x1f', '\x7f'].map((char): [string, HeaderField[]] => [
      `${JSON.stringify(char)} in a value`,
      plain(['x-a', `b${char}c`]),
    ]),
    ['a line break at the end of a value', plain(['x-a', 'b\n'])],
    ['a control character in a value that counts', instead(':authority', 'a\0b')],
    ...[' b', 'b ', '\tb', 'b\t', ' ', '\t'].map((value): [string, HeaderField[]] => [
      `the value ${JSON.stringify(value)}`,
      plain(['x-a', value]),
    ]),
    ...[
      'connection',
      'content-length',
      'host',
      'keep-alive',
      'proxy-connection',
      'transfer-encoding',
      'upgrade',
    ].map((name): [string, HeaderField[]] => [name, plain([name, name === 'content-length' ? '5' : 'a'])]),
    ...['', 'gzip', 'Trailers', 'trailers, gzip'].map((value): [string, HeaderField[]] => [
      `te: ${value}`,
      instead('te', value),
    ]),
    ...['gzip', 'deflate', 'Identity', ''].map((value): [string, HeaderField[]] => [
      `grpc-encoding: ${value}`,
      plain(['grpc-encoding', value]),
    ]),
    ...[
      'application/grpc+json',
      'application/grpc;charset=utf-8',
      'Application/grpc',
      'application/grpc-web',
      'application/json',
      '',
    ].map((value): [string, HeaderField[]] => [`content-type: ${value}`, instead('content-type', value)]),
    ...['', '1', 'S', '1s', '-1S', '1.5S', '123456789S', '1 S', '597H', '99999999H'].map(
      (value): [string, HeaderField[]] => [`grpc-timeout: ${value}`, plain(['grpc-timeout', value])],
    ),
  ])('%s', (_name, fields) => {
    expect(takes(fields)).toBe(false);
  });
});

test('who reads a list of headers does not depend on the one before', () => {
  expect([plain(), instead('te', 'x'), plain()].map(takes)).toEqual([true, false, true]);
});
