/** Tells the supervisor what this process committed, with the events for its relay. */

import type { JournalEvent } from '../charges/index.ts';
import { encodeCommittedEvents, type EventFormat } from '../relay/index.ts';
import type { ServerMessage } from '../supervisor/messages.ts';

/**
 * How long commits are gathered. Encoding and sending then come after the callers' answers, and a
 * caller alone does not pay for a message between two processes with every call.
 */
const GATHER_MS = 5;

/** Bytes that may be on their way to the supervisor. If it does not keep up, its relay reads the journal. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

/** Sends a message to the supervisor and calls back once it has left this process. */
type Send = (message: ServerMessage, sent: () => void) => void;

/** One per process. */
export class CommitReporter {
  readonly #format: EventFormat;
  readonly #send: Send;
  #groups: (readonly JournalEvent[])[] = [];
  #timer: NodeJS.Timeout | undefined;
  #unsentBytes = 0;

  constructor(format: EventFormat, send: Send) {
    this.#format = format;
    this.#send = send;
  }

  /** Reports the events of one group, within {@link GATHER_MS}. */
  committed(events: readonly JournalEvent[]): void {
    this.#groups.push(events);
    this.#timer ??= setTimeout(() => this.#report(), GATHER_MS);
  }

  #report(): void {
    this.#timer = undefined;
    const groups = this.#groups;
    this.#groups = [];
    const isFull = this.#unsentBytes > UNSENT_BYTES_MAX;
    const events = isFull ? [] : groups.map((group) => encodeCommittedEvents(group, this.#format));
    const bytes = events.reduce((sum, { length }) => sum + length, 0);
    this.#unsentBytes += bytes;
    this.#send({ type: 'committed', events }, () => (this.#unsentBytes -= bytes));
  }
}
