/** Pages of a bounded number of bytes: clients take responses of up to 4 MiB by default. */

import { type Encoder, encodeTransient } from './codec.ts';

/** A page ends before this many bytes of its items. */
export const PAGE_BYTES_MAX = 1024 * 1024;
/** Tag and length of an item. */
const FRAME_BYTES = 5;

/** The longest run of messages from the start that fits into a page; at least one. */
export function withinPageBytes<Message>(encoder: Encoder<Message>, messages: Message[]): Message[] {
  let bytes = 0;
  const end = messages.findIndex((message) => {
    bytes += encodeTransient(encoder, message).length + FRAME_BYTES;
    return bytes > PAGE_BYTES_MAX;
  });
  return end === -1 ? messages : messages.slice(0, Math.max(1, end));
}
