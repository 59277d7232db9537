/** What a connection knows of a call in flight, and how it counts the messages that come back. */

const GRPC_PREFIX_BYTES = 5;

/** How a call ended. */
export interface CallEnd {
  /** `grpc-status`; -1 where the stream was reset or the connection lost. */
  readonly status: number;
  readonly messages: number;
  /** Bytes of all response messages, without their prefixes. */
  readonly messageBytes: number;
}

/** A call in flight, for those that send or receive more than one message. */
export class GrpcStream {
  readonly id: number;
  sendWindow: number;
  /** Framed requests that wait for a window. */
  pending: Buffer[] = [];
  halfClose = false;
  halfClosed = false;
  received = 0;
  messages = 0;
  messageBytes = 0;
  messageLeft = 0;
  prefixLeft = GRPC_PREFIX_BYTES;
  prefix = 0;
  readonly onEnd: (end: CallEnd) => void;
  readonly onMessages: ((messages: number) => void) | undefined;

  constructor(
    id: number,
    sendWindow: number,
    onEnd: (end: CallEnd) => void,
    onMessages: ((messages: number) => void) | undefined,
  ) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.onEnd = onEnd;
    this.onMessages = onMessages;
  }
}

/** Follows the message prefixes through the DATA frames of a stream. */
export function countMessages(stream: GrpcStream, data: Buffer, start: number, end: number): void {
  let at = start;
  while (at < end) {
    if (stream.prefixLeft === 0) {
      const taken = Math.min(stream.messageLeft, end - at);
      stream.messageLeft -= taken;
      at += taken;
    } else if (stream.prefixLeft === GRPC_PREFIX_BYTES && end - at >= GRPC_PREFIX_BYTES) {
      stream.prefix = data.readUInt32BE(at + 1);
      stream.prefixLeft = 0;
      at += GRPC_PREFIX_BYTES;
      stream.messageLeft = stream.prefix;
      stream.messageBytes += stream.prefix;
    } else {
      stream.prefix = ((stream.prefix << 8) | (data[at++] ?? 0)) >>> 0;
      if (--stream.prefixLeft === 0) {
        stream.messageLeft = stream.prefix;
        stream.messageBytes += stream.prefix;
      }
    }
    if (stream.prefixLeft === 0 && stream.messageLeft === 0) {
      stream.messages++;
      stream.prefixLeft = GRPC_PREFIX_BYTES;
      stream.prefix = 0;
    }
  }
}
