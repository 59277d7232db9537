/** The charges of an export, as the service streams them; a stream that breaks is opened again where it was. */

import { setTimeout as delay } from 'node:timers/promises';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import pRetry, { AbortError } from 'p-retry';
import type {
  ChargeServiceClient,
  ExportChargesRequest,
  ExportChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { ServiceUnavailable } from '../client.ts';
import { adviceOn, errorOfCall } from '../server-error.ts';
import { Refused } from '../session.ts';

/** How to call, and whom to tell. */
export interface SourceOptions {
  /** A call that brings nothing is given up after so many milliseconds. */
  readonly retryTimeoutMs: number;
  /** Ends the stream: the generator throws. */
  readonly signal: AbortSignal;
  readonly onTrouble: (text: string) => void;
}

const PAUSES = { retries: Infinity, minTimeout: 100, maxTimeout: 5000, randomize: true };
/** After so many attempts, INTERNAL is the final answer. */
const INTERNAL_ATTEMPTS_MAX = 3;

/** A stream that has brought its first response. */
interface OpenStream {
  readonly call: ClientReadableStream<ExportChargesResponse>;
  readonly responses: AsyncIterator<ExportChargesResponse>;
  readonly first: ExportChargesResponse;
}

/**
 * Every response from the place of `request.resumeToken` on, the last one with an empty token. It reads on when it is
 * asked. Throws {@link Refused}, {@link ServiceUnavailable} after `retryTimeoutMs`, or an AbortError after the signal.
 */
export async function* exportedCharges(
  client: ChargeServiceClient,
  request: ExportChargesRequest,
  options: SourceOptions,
): AsyncGenerator<ExportChargesResponse> {
  let { resumeToken } = request;
  for (;;) {
    // Each stream that is opened brings a response, so this ends.
    const { call, responses, first } = await openStream(client, { ...request, resumeToken }, options);
    const cancel = (): void => call.cancel();
    options.signal.addEventListener('abort', cancel);
    try {
      for (let response: ExportChargesResponse | undefined = first; response;) {
        ({ resumeToken } = response);
        yield response;
        if (resumeToken === '') return;
        response = await nextOf(responses);
      }
      options.onTrouble('the stream ended before the last charge');
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof Refused) || adviceOn(error.error) === 'give_up') throw error;
      options.onTrouble(error.message);
    } finally {
      options.signal.removeEventListener('abort', cancel);
      call.cancel();
    }
  }
}

async function openStream(
  client: ChargeServiceClient,
  request: ExportChargesRequest,
  { signal, retryTimeoutMs, onTrouble }: SourceOptions,
): Promise<OpenStream> {
  const attempt = async (): Promise<OpenStream> => {
    if (signal.aborted) throw new AbortError(signal.reason as Error);
    const call = client.exportCharges(request);
    const cancel = (): void => call.cancel();
    signal.addEventListener('abort', cancel);
    try {
      const responses = (call as AsyncIterable<ExportChargesResponse>)[Symbol.asyncIterator]();
      const first = await nextOf(responses);
      if (first) return { call, responses, first };
      throw new ServiceUnavailable('the service ended the stream without a response');
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
  try {
    return await pRetry(attempt, {
      ...PAUSES,
      signal,
      maxRetryTime: retryTimeoutMs,
      shouldRetry: ({ error, attemptNumber }) => isWorthRepeating(error, attemptNumber),
      onFailedAttempt: async ({ error, attemptNumber }) => {
        if (signal.aborted || !isWorthRepeating(error, attemptNumber)) return;
        onTrouble(error.message);
        await delay((error as Refused).error.retryAfterMs ?? 0, undefined, { signal });
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Refused && adviceOn(error.error) === 'retry')
      throw new ServiceUnavailable(error.message);
    throw error;
  }
}

/** The next response; undefined: the stream has ended in order. Rejects with {@link Refused}. */
async function nextOf(
  responses: AsyncIterator<ExportChargesResponse>,
): Promise<ExportChargesResponse | undefined> {
  try {
    const next = await responses.next();
    return next.done ? undefined : next.value;
  } catch (error) {
    if (!(error instanceof Error && 'metadata' in error)) throw error;
    throw new Refused(errorOfCall(error as ServiceError));
  }
}

function isWorthRepeating(error: Error, attempts: number): boolean {
  if (!(error instanceof Refused)) return false;
  const advice = adviceOn(error.error);
  return advice === 'retry' || (advice === 'retry_few' && attempts < INTERNAL_ATTEMPTS_MAX);
}
