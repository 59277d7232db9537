/** Header blocks as nghttp2 encodes them: with Huffman codes, a dynamic table and eviction. */

import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { Duplex } from 'node:stream';

import { type HeaderField, HpackDecoder } from '../../../src/grpc/http2/hpack-decoder.ts';
import { STATIC_FIELDS } from '../../../src/grpc/http2/hpack-tables.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEADERS = 1;
const SETTINGS = 4;
const CONTINUATION = 9;
const ACK = 1;
const END_HEADERS = 4;
const HEADER_TABLE_SIZE = 1;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let rest = bytes.subarray(PREFACE.length); rest.length >= 9;) {
    const end = 9 + rest.readUIntBE(0, 3);
    if (rest.length < end) break;
    frames.push({ type: rest.readUInt8(3), flags: rest.readUInt8(4), payload: rest.subarray(9, end) });
    rest = rest.subarray(end);
  }
  return frames;
}

/** A real client, and instead of a server only somebody who reads what it writes. */
class Client {
  readonly session: ClientHttp2Session;
  readonly #link: Duplex;
  #written = Buffer.alloc(0);

  constructor() {
    this.#link = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.#written = Buffer.concat([this.#written, chunk]);
        this.#link.emit('captured');
        done();
      },
    });
    this.session = connect('http://x', { createConnection: () => this.#link });
    this.session.on('error', () => {});
    this.#sendSettings([]);
  }

  request(fields: readonly HeaderField[], sensitive: readonly string[] = []): void {
    const headers: OutgoingHttpHeaders = Object.fromEntries(fields);
    const stream = this.session.request(
      { ...headers, [sensitiveHeaders]: [...sensitive] },
      { endStream: true },
    );
    stream.on('error', () => {});
  }

  /** As soon as the client knows it, its table is to have at most so many bytes. */
  async limitTable(sizeBytes: number): Promise<void> {
    const acknowledged = this.#acknowledged();
    this.#sendSettings([0, HEADER_TABLE_SIZE, 0, 0, sizeBytes >> 8, sizeBytes & 0xff]);
    while (this.#acknowledged() === acknowledged) await once(this.#link, 'captured');
  }

  /** All header blocks until now, once they are so many. */
  async blocks(count: number): Promise<Buffer[]> {
    for (;;) {
      const blocks = this.#blocks();
      if (blocks.length >= count) return blocks;
      await once(this.#link, 'captured');
    }
  }

  #blocks(): Buffer[] {
    const blocks: Buffer[] = [];
    let parts: Buffer[] = [];
    for (const { type, flags, payload } of framesIn(this.#written)) {
      if (type !== HEADERS && type !== CONTINUATION) continue;
      // Neither padding nor a priority.
      expect(flags & 0x28).toBe(0);
      parts.push(payload);
      if ((flags & END_HEADERS) === 0) continue;
      blocks.push(Buffer.concat(parts));
      parts = [];
    }
    return blocks;
  }

  #acknowledged(): number {
    return framesIn(this.#written).filter(({ type, flags }) => type === SETTINGS && flags === ACK).length;
  }

  #sendSettings(payload: readonly number[]): void {
    this.#link.push(Buffer.from([0, 0, payload.length, SETTINGS, 0, 0, 0, 0, 0, ...payload]));
  }
}

const clients: Client[] = [];

function connectClient(): Client {
  const client = new Client();
  clients.push(client);
  return client;
}

afterEach(() => {
  for (const { session } of clients.splice(0)) session.destroy();
});

const PSEUDO: readonly HeaderField[] = [
  [':method', 'POST'],
  [':path', '/charge.v1.ChargeService/CreateCharge'],
  [':authority', 'charges:8080'],
  [':scheme', 'http'],
];

function decoderOf(tableBytesMax = 4096): HpackDecoder {
  return new HpackDecoder({ tableBytesMax, listBytesMax: 1e6 });
}

/** Characters that node:http2 sends: no controls, but all above them. */
const SENT = [...Array(256).keys()].filter((code) => code === 9 || (code >= 32 && code !== 127));

test('each character that can be sent', async () => {
  const client = connectClient();
  // So many short codes around one make the Huffman code the shorter one, however long the one is.
  const fields = SENT.map((code): HeaderField => {
    return [`x-${code}`, `${'a'.repeat(20)}${String.fromCharCode(code)}${'e'.repeat(20)}`];
  });
  client.request([...PSEUDO, ...fields]);
  const [block] = await client.blocks(1);
  expect(decoderOf().decode(block as Buffer)).toEqual({ fields: [...PSEUDO, ...fields], tooLarge: false });
  expect((block as Buffer).length).toBeLessThan(SENT.length * 41);
});

test('each name of the static table that can be sent, and its value', async () => {
  const client = connectClient();
  const fields = STATIC_FIELDS.filter(([name]) => !name.startsWith(':') && name !== 'transfer-encoding');
  expect(fields).toHaveLength(46);
  const pseudo: readonly HeaderField[] = [
    [':method', 'GET'],
    [':path', '/index.html'],
    [':authority', ''],
    [':scheme', 'https'],
  ];
  client.request([...pseudo, ...fields]);
  const [block] = await client.blocks(1);
  expect(decoderOf().decode(block as Buffer).fields).toEqual([...pseudo, ...fields]);
  // An index for each, and a literal value of nothing for authorization and cookie, which are secret.
  expect(block).toHaveLength(48 + 2 * 3);
});

const value = (maxLength: number) =>
  fc.array(fc.constantFrom(...SENT), { maxLength, size: 'max' }).map((codes) => {
    return String.fromCharCode(...codes).trim();
  });
/** Few names and some values that come again, so that the table is used; long ones empty it. */
const values = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('', 'application/grpc', 'trailers', '1', 'a value that comes again'),
  },
  { weight: 4, arbitrary: value(40) },
  { weight: 2, arbitrary: value(1500) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(3000), '~'.repeat(5000), 'y'.repeat(20_000)) },
);
const names = fc.constantFrom(
  'content-type',
  'user-agent',
  'grpc-timeout',
  'x-a',
  'x-b',
  'x-c',
  'traceparent',
);
const request = fc.record({
  fields: fc.uniqueArray(fc.tuple(names, values), { selector: ([name]) => name, maxLength: 7 }),
  sensitive: fc.subarray(['x-a', 'user-agent']),
});

test('random requests of one connection, repeated headers and sensitive ones among them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 40, size: 'max' }), async (requests) => {
      const client = connectClient();
      for (const { fields, sensitive } of requests) client.request([...PSEUDO, ...fields], sensitive);
      const blocks = await client.blocks(requests.length);
      const decoder = decoderOf();
      for (const [index, { fields }] of requests.entries()) {
        const list = decoder.decode(blocks[index] as Buffer);
        expect(list).toEqual({ fields: [...PSEUDO, ...fields], tooLarge: false });
      }
      client.session.destroy();
    }),
    { numRuns: 40 },
  );
});

test('calls that are alike are the same list from the second on', async () => {
  const client = connectClient();
  const fields: HeaderField[] = [...PSEUDO, ['content-type', 'application/grpc'], ['te', 'trailers']];
  for (let i = 0; i < 5; i++) client.request(fields);
  const decoder = decoderOf();
  const lists = (await client.blocks(5)).map((block) => decoder.decode(block));
  expect(lists[1]?.fields).toEqual(fields);
  for (const list of lists.slice(2)) expect(list).toBe(lists[1]);
});

test('a table whose limit changes while it is in use', async () => {
  const client = connectClient();
  const decoder = decoderOf();
  let seen = 0;
  for (const sizeBytes of [4096, 200, 0, 100, 4000, 4096]) {
    await client.limitTable(sizeBytes);
    decoder.limitTable(sizeBytes);
    for (let i = 0; i < 10; i++) {
      const fields: HeaderField[] = [...PSEUDO, [`x-${i % 3}`, `${i % 4}`], ['x-limit', `${sizeBytes}`]];
      client.request(fields);
      const block = (await client.blocks(++seen)).at(-1) as Buffer;
      expect(decoder.decode(block).fields).toEqual(fields);
    }
  }
});
