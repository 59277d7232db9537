/** The W3C trace context that a caller sends along. */

import type { Metadata } from '@grpc/grpc-js';

// A trace id or a parent id of zeros only is invalid, as is version ff.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's `traceparent`, or undefined where it sent none or an invalid one. */
export function traceparentOf(metadata: Metadata): string | undefined {
  const value = metadata.get('traceparent')[0];
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined;
}
