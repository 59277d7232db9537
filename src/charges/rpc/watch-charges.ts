/** WatchCharges: the journal from any sequence, first what is stored, then what is written. */

import pRetry from 'p-retry';

import { WatchChargesRequest, WatchChargesResponse } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinReach } from '../../grpc/own-user-profile.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { responseStreamMethod, type StreamCall } from '../../grpc/stream.ts';
import type { Check } from '../../grpc/validation.ts';
import type { ChargeFilter } from '../charge.ts';
import type { JournalEvent } from '../charge-event.ts';
import { eventMatches, userProfilesOf } from '../charge-filter.ts';
import { fromProtoChargeFilter } from '../convert.ts';
import { sequenceArchived, sequenceOutOfRange } from '../errors.ts';
import type { JournalReader } from '../ports.ts';
import { eventBytesAtMost } from './charge-bytes.ts';
import { toProtoEventFor } from './own-charges.ts';

/** Events of the first read, and at most of a later one: reads grow while the caller keeps up. */
const WATCH_READ_MIN = 32;
const WATCH_READ_MAX = 500;
/** What a watch keeps of a page while its caller does not keep up; the rest is read again. */
const KEPT_BYTES_MAX = 64 * 1024;

const RETRIES_MAX = 5;
const RETRY_DELAY_MIN_MS = 100;

type WatchStream = StreamCall<WatchChargesRequest, WatchChargesResponse>;

/** The method on a journal; `check` holds the contract's rules for its one request. */
export function watchCharges(journal: JournalReader, check: Check<WatchChargesRequest>): RpcMethod {
  return responseStreamMethod<WatchChargesRequest, WatchChargesResponse>({
    kind: 'watch',
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(WatchChargesRequest, bytes),
    validate: check,
    response: WatchChargesResponse,
    run: (stream, request) => void watch(stream, request, journal),
  });
}

/** Runs until the caller, the server or a failure ends the stream. Never rejects. */
async function watch(
  stream: WatchStream,
  request: WatchChargesRequest,
  journal: JournalReader,
): Promise<void> {
  // A drain has nothing to finish here: the caller goes on from its last sequence.
  stream.onDrain((failure) => stream.fail(failure));
  try {
    const filter = withinReach(stream.principal, fromProtoChargeFilter(request.filter));
    let after = await startAfter(stream.tenant, request.startSequence, journal);
    // Not earlier: the headers tell the caller that everything from here on will be delivered.
    stream.sendHeaders();
    let limit = WATCH_READ_MIN;
    while (!stream.over) {
      const entries = await withRetries(stream, () => journal.read(stream.tenant, after, limit));
      const userProfiles = await labelledUserProfiles(stream, entries, filter, journal);
      const journalEnded = entries.length < limit;
      const { last, count, dropped } = await deliver(stream, entries, (event) =>
        eventMatches(filter, event, userProfiles),
      );
      after = last ?? after;
      // Slowly, because events that did not fit are read twice.
      limit = dropped ? count : Math.min(limit + (limit >> 2) + 1, WATCH_READ_MAX);
      // A short page is the end of the journal, and reading again would only show that. What was committed
      // since is not missed: the wait ends for any number after `after`.
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
    throw new ServiceError(sequenceOutOfRange(startSequence, lastSequence));
  }
  const archived = await journal.archivedSequence(tenant);
  if (startSequence <= archived) throw new ServiceError(sequenceArchived(startSequence, archived));
  return startSequence - 1n;
}

/** How far a page was delivered: its last sequence, how many events, and whether the rest was dropped. */
interface Delivered {
  readonly last: bigint | undefined;
  readonly count: number;
  readonly dropped: boolean;
}

/**
 * Sends the events of a page that match the filter, in order, and removes them from the page. While the caller
 * does not keep up, possibly for hours, no more than {@link KEPT_BYTES_MAX} of the page is kept.
 */
async function deliver(
  stream: WatchStream,
  page: JournalEvent[],
  matches: (event: JournalEvent) => boolean,
): Promise<Delivered> {
  let last: bigint | undefined;
  let count = 0;
  let dropped = false;
  for (let entry = page.shift(); entry !== undefined && !stream.over; entry = page.shift()) {
    last = entry.sequence;
    count++;
    if (!matches(entry)) continue;
    if (!stream.write({ event: toProtoEventFor(stream.principal, entry) })) {
      dropped = dropBeyond(page, KEPT_BYTES_MAX) || dropped;
      await stream.untilWritable();
    }
  }
  return { last, count, dropped };
}

/** Drops what does not fit. Returns whether anything was dropped. */
function dropBeyond(page: JournalEvent[], bytesMax: number): boolean {
  let bytes = 0;
  const end = page.findIndex((event) => (bytes += eventBytesAtMost(event)) > bytesMax);
  if (end === -1) return false;
  page.length = end;
  return true;
}

/** The user profiles of the events that carry the labels of the filter; undefined: it names none. */
async function labelledUserProfiles(
  stream: WatchStream,
  events: readonly JournalEvent[],
  { userProfileLabels }: ChargeFilter,
  journal: JournalReader,
): Promise<ReadonlySet<string> | undefined> {
  if (userProfileLabels === undefined || events.length === 0) return undefined;
  const userProfiles = userProfilesOf(events);
  return withRetries(stream, () =>
    journal.labelledUserProfiles(stream.tenant, userProfiles, userProfileLabels),
  );
}

/** A short outage must not end every watch: a few more attempts, with growing pauses. */
function withRetries<T>(stream: WatchStream, read: () => Promise<T>): Promise<T> {
  return pRetry(read, {
    retries: RETRIES_MAX,
    minTimeout: RETRY_DELAY_MIN_MS,
    signal: stream.signal,
    shouldRetry: ({ error }) => !stream.over && isTemporary(error),
  });
}

/** The database restarts, or all connections for reads are in use. */
function isTemporary(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  const { reason } = error.failure;
  return reason === 'DATABASE_UNAVAILABLE' || reason === 'OVERLOADED';
}
