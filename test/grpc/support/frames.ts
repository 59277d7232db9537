/** HTTP/2 frames made by hand over a plain socket, for what no HTTP/2 library sends. */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Types of frames. */
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Flags of frames. */
export const NONE = 0;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

/** A frame. */
export function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A payload of one number of 32 bits: an error code or the size of a window. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A block of headers in HPACK: every one a literal, neither indexed nor compressed. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]),
  );
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = [];
  let rest = bytes.length - 127;
  if (rest < 0) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([127, ...length, rest]), bytes]);
}

/** The headers of a call. */
export function callHeaders(method: string, others: Readonly<Record<string, string>> = {}): Buffer {
  return headerBlock({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': `/charge.v1.ChargeService/${method}`,
    ':authority': 'localhost',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...others,
  });
}

/** A connection on which frames are sent as they are. What the server sends is only counted, by type. */
export class FrameConnection {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #tcp: Socket;
  readonly #acknowledges: boolean;
  readonly #received = new Map<number, number>();
  #rest = Buffer.alloc(0);

  /**
   * `acknowledges`: whether it answers the settings of the server, as every client must. Over TLS, if there is an
   * authority that it trusts.
   */
  constructor(port: number, acknowledges = true, ca?: string) {
    this.#acknowledges = acknowledges;
    this.#tcp = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#tcp.on('error', () => {});
    this.socket = ca === undefined ? this.#tcp : connectTls({ socket: this.#tcp, ca, ALPNProtocols: ['h2'] });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    // The server may reset the connection at any time.
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => this.#read(chunk));
    this.socket.write(Buffer.concat([PREFACE, http2Frame(SETTINGS, NONE, 0)]));
  }

  /** In one write: as far as the kernel allows, in one packet. */
  send(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Ends the connection without a word, as a client that is killed. */
  reset(): void {
    this.#tcp.resetAndDestroy();
  }

  /** How many frames of a type have come. */
  received(type: number): number {
    return this.#received.get(type) ?? 0;
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const type = this.#rest.readUInt8(3);
      this.#received.set(type, this.received(type) + 1);
      const isSettings = type === SETTINGS && this.#rest.readUInt8(4) !== ACK;
      if (isSettings && this.#acknowledges) this.send(http2Frame(SETTINGS, ACK, 0));
      this.#rest = this.#rest.subarray(9 + length);
    }
  }
}
