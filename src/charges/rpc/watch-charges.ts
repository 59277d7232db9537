/** WatchCharges: the journal from any sequence, first what is stored, then what is written. */

import { setTimeout as delay } from 'node:timers/promises';

import type {
  WatchChargesRequest,
  WatchChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { toProtoChargeCreated } from '../charge-created.ts';
import type { ChargeFilter, ChargeEvent } from '../charge.ts';
import { matches } from '../charge-filter.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { JournalReader } from '../ports.ts';
import { encodedBytesAtMost } from './charge-bytes.ts';
import { fromProtoChargeFilter } from './convert-filter.ts';
import type { StreamCall } from '../../grpc/stream.ts';

/** Events of one read of the journal, at most. */
export const WATCH_READ_MAX = 500;
/** What a watch holds of a read while its caller does not keep up; the rest is read again. */
const HELD_BYTES_MAX = 512 * 1024;

const RETRIES_MAX = 5;
const RETRY_DELAY_MIN_MS = 100;

type WatchStream = StreamCall<WatchChargesRequest, WatchChargesResponse>;

/** Serves an admitted stream until the caller, the server or a failure ends it. Never rejects. */
export async function watchCharges(
  stream: WatchStream,
  request: WatchChargesRequest,
  journal: JournalReader,
): Promise<void> {
  // Nothing is taken in that a drain would have to finish: the caller goes on from its last sequence.
  stream.workedOnBy({ onCancel: () => {}, onDrain: (failure) => stream.fail(failure) });
  try {
    let after = await startAfter(stream.tenant, request.startSequence, journal);
    // Only now: headers tell the caller that everything from here on will be delivered.
    stream.sendHeaders();
    const filter = fromProtoChargeFilter(request.filter);
    let limit = WATCH_READ_MAX;
    while (!stream.over) {
      const entries = await readPatiently(stream, after, limit, journal);
      const journalEnded = entries.length < limit;
      const { last, count, dropped } = await deliver(stream, entries, filter);
      after = last ?? after;
      // Behind large charges a page only grows slowly: whatever it has too much is read twice.
      limit = dropped ? count : Math.min(limit + (limit >> 2) + 1, WATCH_READ_MAX);
      // A short page ends with the journal; to see that again would cost another read. What has been
      // committed since is not missed: the wait is for a number beyond `after`, whenever it came.
      if (journalEnded && !dropped) await journal.waitForMore(stream.tenant, after, stream.signal);
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
  journal: JournalReader,
): Promise<bigint> {
  const lastSequence = await journal.lastSequence(tenant);
  if (startSequence === undefined) return lastSequence;
  if (startSequence > lastSequence + 1n) {
    throw new ServiceError({ kind: 'sequence_out_of_range', startSequence, lastSequence });
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
 * does not keep up, possibly for hours, no more of it is kept than {@link HELD_BYTES_MAX}.
 */
async function deliver(stream: WatchStream, page: ChargeEvent[], filter: ChargeFilter): Promise<Delivered> {
  let last: bigint | undefined;
  let count = 0;
  let dropped = false;
  for (let entry = page.shift(); entry !== undefined && !stream.over; entry = page.shift()) {
    last = entry.sequence;
    count++;
    if (!matches(filter, entry.charge)) continue;
    if (!stream.write(toProtoResponse(entry))) {
      dropped = dropBeyond(page, HELD_BYTES_MAX) || dropped;
      await onceWritable(stream);
    }
    if (!stream.over) stream.counters.streamed('sent', 1);
  }
  return { last, count, dropped };
}

/** Cuts off what does not fit; returns whether that was anything. */
function dropBeyond(page: ChargeEvent[], bytesMax: number): boolean {
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
  journal: JournalReader,
): Promise<ChargeEvent[]> {
  for (let retries = 0; ; retries++) {
    try {
      return await journal.read(stream.tenant, after, limit);
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
  const { kind } = error.failure;
  return kind === 'database_unavailable' || kind === 'overloaded';
}

function toProtoResponse(entry: ChargeEvent): WatchChargesResponse {
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
