/**
 * One connection of a client, in front of node:http2. Calls that the lane takes are served here; all
 * else goes on to node:http2 as if it came from a socket, and comes back the same way. The client
 * sees one connection: one compression of headers, one window, one order of streams.
 */

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { HpackError } from './hpack-error.ts';
import { InnerConnection } from './inner-connection.ts';
import { Junction, type JunctionOptions } from './junction.ts';
import { ConnectionError, ErrorCode, FrameType } from './protocol.ts';
import { Sender } from './sender.ts';

/** What a connection needs of its server. */
export interface ConnectionOptions extends Omit<JunctionOptions, 'onBusy'> {
  /** How long calls in hand may go on after node:http2 has ended the connection. */
  readonly graceMs: number;
  /** Hands the inner connection to node:http2; returns where it is counted as idle or not, if it is. */
  readonly inject: (inner: Duplex) => ActiveStreams | undefined;
  /** Something happened that should not be able to; the connection is cut. */
  readonly onDefect: (error: unknown) => void;
}

/** The count of streams that keep a connection from being idle. */
export interface ActiveStreams {
  activeStreams: number;
  /** One stream less. */
  readonly onClose: () => void;
}

/** Time for a client to read why its connection ends. */
const FAREWELL_MS = 1000;

/** A connection that is served. */
export interface ServedConnection {
  /** Calls of the lane whose request has not arrived as a whole are run as they are, to be refused. */
  hurry(): void;
}

/** Serves a connection until it is closed. */
export function serveConnection(socket: Socket, options: ConnectionOptions): ServedConnection {
  const connection = new ClientConnection(socket, options);
  connection.start();
  return connection;
}

class ClientConnection implements ServedConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #sender: Sender;
  readonly #inner: InnerConnection;
  readonly #junction: Junction;
  #active: ActiveStreams | undefined;
  /** Whether the client is read; before that, what it sends stays with the socket. */
  #open = false;
  #innerTakes = true;
  /** node:http2 has ended, and all that it sent is out. */
  #innerSent = false;
  /** Nothing that the client sends matters any more. */
  #ended = false;
  #failed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#sender = new Sender(socket, options.heldBytes);
    this.#inner = new InnerConnection(this.#sender, options.heldBytes, {
      // The server's SETTINGS come before all else, and they are those of node:http2.
      onOpen: () => {
        this.#open = true;
        socket.on('data', (chunk) => this.#receive(chunk));
        this.#resume();
      },
      onDrain: () => {
        this.#innerTakes = true;
        this.#resume();
      },
      onSettings: ({ streamWindow }) => {
        if (streamWindow !== undefined) this.#junction.setStreamWindow(streamWindow);
      },
      onGoaway: () => this.#junction.stopTakingOn(),
      onEnd: () => this.#innerEnd(),
      onSent: () => {
        this.#innerSent = true;
        this.#endIfDone();
      },
      onFault: (error) => this.#fail(error),
      onDestroy: () => {
        if (!this.#failed) socket.destroy();
      },
    });
    this.#junction = new Junction(this.#sender, this.#inner, {
      ...options,
      onBusy: (busy) => this.#setBusy(busy),
    });
  }

  start(): void {
    const socket = this.#socket;
    socket.on('end', () => this.#inner.push(null));
    socket.on('drain', () => {
      this.#inner.socketDrained();
      this.#resume();
    });
    // `close` follows every error.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(this.#timer);
      this.#junction.close();
      this.#inner.destroy();
    });
    try {
      this.#active = this.#options.inject(this.#inner);
    } catch (error) {
      // Thrown here, it would end the process.
      this.#fail(error);
    }
  }

  hurry(): void {
    this.#junction.hurry();
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      this.#innerTakes = this.#junction.receive(chunk);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#innerTakes || this.#sender.full) this.#socket.pause();
  }

  #resume(): void {
    // A socket that flows before anyone listens to it loses what arrives.
    if (this.#open && this.#innerTakes && !this.#sender.full) this.#socket.resume();
  }

  #setBusy(busy: boolean): void {
    if (this.#active !== undefined) {
      if (busy) this.#active.activeStreams++;
      else this.#active.onClose();
    }
    if (!busy) this.#endIfDone();
  }

  /** node:http2 ends the connection; calls of the lane may still be in hand. */
  #innerEnd(): void {
    this.#junction.stopTakingOn();
    this.#destroyIn(this.#options.graceMs);
  }

  #endIfDone(): void {
    if (this.#innerSent && this.#junction.laneIdle) this.#end();
  }

  /** The client has until the timer to read what is on its way. */
  #end(): void {
    this.#ended = true;
    this.#sender.flush();
    this.#socket.end();
  }

  /** Ends the connection; where the client is at fault, it is told why. */
  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    const lastStreamId = this.#junction.stopTakingOn();
    const fault = faultOfClient(error);
    if (fault === undefined) this.#options.onDefect(error);
    const { code, text } = fault ?? DEFECT;
    const { out } = this.#sender;
    out.frameHeader(FrameType.GOAWAY, 0, 0, 8 + text.length);
    out.uint32(lastStreamId);
    out.uint32(code);
    out.append(text);
    this.#junction.close();
    this.#inner.destroy();
    this.#end();
    this.#destroyIn(FAREWELL_MS);
  }

  #destroyIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), ms);
    this.#timer.unref();
  }
}

interface Farewell {
  /** One of {@link ErrorCode}. */
  readonly code: number;
  readonly text: Buffer;
}

/** The log has the rest. */
const DEFECT: Farewell = { code: ErrorCode.INTERNAL_ERROR, text: Buffer.alloc(0) };

/** What a client is told of a fault of its own; undefined: the error is none. */
function faultOfClient(error: unknown): Farewell | undefined {
  if (error instanceof ConnectionError) return { code: error.code, text: Buffer.from(error.message) };
  if (error instanceof HpackError)
    return { code: ErrorCode.COMPRESSION_ERROR, text: Buffer.from(error.message) };
  return undefined;
}
