/** A call that is answered with a stream of messages. */

import { type Client, Metadata, type MethodDefinition } from '@grpc/grpc-js';

/** The service gives a stream no more time. */
const STREAM_TIMEOUT_MS = 600_000;

/** A stream whose first message has arrived. It is read no faster than its messages are taken. */
export interface ServerStream<R> {
  readonly first: IteratorResult<R>;
  /** Those after the first one. Rejects with the status of the call. */
  readonly messages: AsyncIterator<R>;
  /** Ends the call, if it has not ended. */
  readonly close: () => void;
}

/** Opens a stream. `interrupt` cancels it. Rejects with the status of the call. */
export async function openStream<Q, R>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Q, R>,
  request: Q,
  interrupt: AbortSignal,
): Promise<ServerStream<R>> {
  interrupt.throwIfAborted();
  const deadline = Date.now() + STREAM_TIMEOUT_MS;
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    new Metadata(),
    { deadline },
  );
  const cancel = (): void => call.cancel();
  interrupt.addEventListener('abort', cancel);
  const close = (): void => {
    interrupt.removeEventListener('abort', cancel);
    cancel();
  };
  try {
    const messages = call[Symbol.asyncIterator]() as AsyncIterator<R>;
    return { first: await messages.next(), messages, close };
  } catch (error) {
    close();
    throw error;
  }
}
