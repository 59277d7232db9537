/** Tells the supervisor what this process committed, with the events for its relay. */

import type { JournalEntry } from '../domain/charge.ts';
import { encodeCommittedEvents } from '../relay/committed-events.ts';
import type { EventFormat } from '../relay/event-message.ts';
import type { ServerMessage } from '../supervisor/messages.ts';

/** Bytes on their way to a supervisor that does not keep up; beyond them its relay reads the journal. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

/** Sends a message to the supervisor and calls back once it has left this process. */
type Send = (message: ServerMessage, sent: () => void) => void;

/** One per process. */
export class Announcer {
  readonly #format: EventFormat;
  readonly #send: Send;
  #unsentBytes = 0;

  constructor(format: EventFormat, send: Send) {
    this.#format = format;
    this.#send = send;
  }

  /** Announces the entries of one group. */
  committed(entries: readonly JournalEntry[]): void {
    const behind = this.#unsentBytes > UNSENT_BYTES_MAX;
    const events = behind ? undefined : encodeCommittedEvents(entries, this.#format);
    const bytes = events?.length ?? 0;
    this.#unsentBytes += bytes;
    this.#send({ type: 'committed', events }, () => (this.#unsentBytes -= bytes));
  }
}
