/** The W3C trace context that a caller sends along. */

import type { Headers } from './call-headers.ts';

// A trace id or a parent id of zeros only is invalid, as is version ff.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's `traceparent`, or undefined if it sent none or an invalid one. */
export function traceparentOf(headers: Headers): string | undefined {
  const value = headers.header('traceparent');
  return value !== undefined && TRACEPARENT.test(value) ? value : undefined;
}
