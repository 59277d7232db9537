/** What the lane has to know of a client's SETTINGS; node:http2 judges and acknowledges them. */

import type { FrameReader } from './frame-reader.ts';
import { Setting, WINDOW_MAX } from './protocol.ts';

/** Undefined: the SETTINGS do not speak of it. */
export interface ClientSettings {
  /** The table that the client keeps for our headers. */
  readonly tableSize: number | undefined;
  /** The window of every stream. */
  readonly streamWindow: number | undefined;
}

const SETTING_BYTES = 6;

/** Reads a SETTINGS frame. */
export function clientSettings({ bytes, payload, end }: FrameReader): ClientSettings {
  let tableSize: number | undefined;
  let streamWindow: number | undefined;
  for (let at = payload; at + SETTING_BYTES <= end; at += SETTING_BYTES) {
    const setting = bytes.readUInt16BE(at);
    const value = bytes.readUInt32BE(at + 2);
    // The smallest of several, because that is what the table was cut to.
    if (setting === Setting.HEADER_TABLE_SIZE) tableSize = Math.min(value, tableSize ?? value);
    if (setting === Setting.INITIAL_WINDOW_SIZE && value <= WINDOW_MAX) streamWindow = value;
  }
  return { tableSize, streamWindow };
}
