/** The numbers of HTTP/2 (RFC 9113). */

/** What a client sends before its first frame. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Every frame starts with these. */
export const FRAME_HEADER_BYTES = 9;

/** The largest payload where SETTINGS allow no other. */
export const FRAME_BYTES_MAX = 16_384;

/** The flow-control window of a connection, and of a stream where SETTINGS give no other. */
export const WINDOW_DEFAULT = 65_535;

/** No window may be larger. */
export const WINDOW_MAX = 2 ** 31 - 1;

/** The size of the table of header compression where SETTINGS give no other. */
export const TABLE_BYTES_DEFAULT = 4096;

/** Frame types. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Frame flags. */
export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

/** Settings. */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
} as const;

/** What RST_STREAM and GOAWAY say. */
export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** A fault of the peer that ends the connection. */
export class ConnectionError extends Error {
  readonly code: number;

  /** `code`: one of {@link ErrorCode}. */
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
