/** What a caller says besides its message. */

import type { Metadata } from '@grpc/grpc-js';

/** The headers of a call, whatever server it came in by. */
export interface CallHeaders {
  /** The value under a name in lower case, or undefined. Text only: no `-bin` header is asked for. */
  header(name: string): string | undefined;
}

/** The first text under a name, from what grpc-js made of the headers. */
export function headerOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === 'string' ? value : undefined;
}
