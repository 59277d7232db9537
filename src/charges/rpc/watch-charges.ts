/** WatchCharges: the book from any sequence, first what is stored, then what is written. */

import { setTimeout as delay } from 'node:timers/promises';

import { WatchChargesRequest, WatchChargesResponse } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { responseStreamMethod, type StreamCall } from '../../grpc/stream.ts';
import type { Check } from '../../grpc/validation.ts';
import { matches } from '../charge-filter.ts';
import type { ChargeFilter, JournalEntry } from '../charge.ts';
import { fromProtoChargeFilter, toProtoChargeCreated } from '../convert.ts';
import { sequenceOutOfRange } from '../errors.ts';
import type { BookReader } from '../ports.ts';
import { encodedBytesAtMost } from './charge-bytes.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';

/** Entries of the first read, and at most of a later one: reads grow while the caller keeps up. */
const WATCH_READ_MIN = 32;
export const WATCH_READ_MAX = 500;
/** What a watch keeps of a page while its caller does not keep up; the rest is read again. */
const KEPT_BYTES_MAX = 64 * 1024;

const RETRIES_MAX = 5;
const RETRY_DELAY_MIN_MS = 100;

type WatchStream = StreamCall<WatchChargesRequest, WatchChargesResponse>;

/** The method on a journal; `check` holds the contract's rules for its one request. */
export function watchCharges(book: BookReader, check: Check<WatchChargesRequest>): RpcMethod {
  return responseStreamMethod<WatchChargesRequest, WatchChargesResponse>({
    kind: 'watch',
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(WatchChargesRequest, bytes),
    validate: check,
    response: WatchChargesResponse,
    run: (stream, request) => void watch(stream, request, book),
  });
}

/** Runs until the caller, the server or a failure ends the stream. Never rejects. */
async function watch(stream: WatchStream, request: WatchChargesRequest, book: BookReader): Promise<void> {
  // Nothing is taken in that a drain would have to finish: the caller goes on from its last sequence.
  stream.workedOnBy({ onCancel: () => {}, onDrain: (failure) => stream.fail(failure) });
  try {
    let after = await startAfter(stream.tenant, request.startSequence, book);
    // Only now: headers tell the caller that everything from here on will be delivered.
    stream.sendHeaders();
    const filter = fromProtoChargeFilter(request.filter);
    let limit = WATCH_READ_MIN;
    while (!stream.over) {
      const entries = await readPatiently(stream, after, limit, book);
      const bookEnded = entries.length < limit;
      const { last, count, dropped } = await deliver(stream, entries, filter);
      after = last ?? after;
      // Slowly, because what a page has too much is read twice.
      limit = dropped ? count : Math.min(limit + (limit >> 2) + 1, WATCH_READ_MAX);
      // A short page ends where the book ended; to see that again would cost another read. What has been
      // committed since is not missed: the wait is for a number beyond `after`, whenever it came.
      if (bookEnded && !dropped) await book.waitForMore(stream.tenant, after, stream.signal);
    }
  } catch (error) {
    stream.failWith(error);
  } finally {
    stream.close();
  }
}

async function startAfter(
  tenant: string,
  startSequence: bigint | undefined,
  book: BookReader,
): Promise<bigint> {
  const lastSequence = await book.lastSequence(tenant);
  if (startSequence === undefined) return lastSequence;
  if (startSequence > lastSequence + 1n) {
    throw new ServiceError(sequenceOutOfRange(startSequence, lastSequence));
  }
  return startSequence - 1n;
}

/** How far a page was delivered: its last number and how many of its entries, and whether it had more. */
interface Delivered {
  readonly last: bigint | undefined;
  readonly count: number;
  readonly dropped: boolean;
}

/**
 * Sends those of a page that the filter means, in order, and empties the page by that. While the caller
 * does not keep up, possibly for hours, no more of it is kept than {@link KEPT_BYTES_MAX}.
 */
async function deliver(stream: WatchStream, page: JournalEntry[], filter: ChargeFilter): Promise<Delivered> {
  let last: bigint | undefined;
  let count = 0;
  let dropped = false;
  for (let entry = page.shift(); entry !== undefined && !stream.over; entry = page.shift()) {
    last = entry.sequence;
    count++;
    if (!matches(filter, entry.charge)) continue;
    if (!stream.write(toProtoResponse(entry))) {
      dropped = dropBeyond(page, KEPT_BYTES_MAX) || dropped;
      await onceWritable(stream);
    }
    if (!stream.over) stream.counters.streamed('sent', 1);
  }
  return { last, count, dropped };
}

/** Cuts off what does not fit; returns whether that was anything. */
function dropBeyond(page: JournalEntry[], bytesMax: number): boolean {
  let bytes = 0;
  const end = page.findIndex(({ charge }) => (bytes += encodedBytesAtMost(charge)) > bytesMax);
  if (end === -1) return false;
  page.length = end;
  return true;
}

/** What passes must not end every watch: a few tries, further and further apart. */
async function readPatiently(
  stream: WatchStream,
  after: bigint,
  limit: number,
  book: BookReader,
): Promise<JournalEntry[]> {
  for (let retries = 0; ; retries++) {
    try {
      return await book.read(stream.tenant, after, limit);
    } catch (error) {
      if (stream.over) return [];
      if (!mayPass(error) || retries === RETRIES_MAX) throw error;
      await delay(RETRY_DELAY_MIN_MS * 2 ** retries, undefined, { signal: stream.signal }).catch(() => {});
    }
  }
}

/** The database restarts, or all connections for reads are in use. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  const { reason } = error.failure;
  return reason === 'DATABASE_UNAVAILABLE' || reason === 'OVERLOADED';
}

function toProtoResponse(entry: JournalEntry): WatchChargesResponse {
  return { event: { $case: 'chargeCreated', value: toProtoChargeCreated(entry) } };
}

function onceWritable(stream: WatchStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.signal.removeEventListener('abort', done);
      resolve();
    };
    stream.onceWritable(done);
    stream.signal.addEventListener('abort', done);
  });
}
