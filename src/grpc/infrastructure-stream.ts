/** Health watches and reflection streams: bounded, and ended by the drain like any long stream. */

import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';

import type { Failure } from '../errors/service-error.ts';
import type { Border } from './call.ts';
import type { LongStream } from './long-streams.ts';
import { toCallError } from './status.ts';

type Call = ServerWritableStream<never, never> | ServerDuplexStream<never, never>;

/** Takes a stream in; false: it was refused, and has its status. */
export function trackInfrastructureStream(call: unknown, border: Border): boolean {
  const stream = call as Call;
  const end = (failure: Failure): void => {
    stream.emit('error', toCallError(failure));
  };
  const tracked: LongStream = { kind: 'infrastructure', drain: end, cut: end };
  const failure = border.admission.refusal ?? border.streams.open(tracked);
  if (failure !== undefined) {
    end(failure);
    return false;
  }
  // Fires however the call ends.
  stream.once('cancelled', () => border.streams.close(tracked));
  return true;
}
