/** A consumer of the journal as anybody may write one: it follows every event, and adds up what was used. */

import type { ClientReadableStream } from '@grpc/grpc-js';

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type {
  ChargeServiceClient,
  WatchChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import type { Cost } from '../../../generated/charge/v1/money.ts';
import { fromProtoTimestamp } from '../../../src/grpc/timestamp.ts';
import { waitFor } from '../../support/wait-for.ts';

/** One entry of the journal. */
export type JournalEvent = NonNullable<WatchChargesResponse['event']>;

/** The names of the subjects on which events are published. */
const SUBJECTS: Readonly<Record<JournalEvent['$case'], string>> = {
  chargeCreated: 'charge.created',
  chargeVoided: 'charge.voided',
  chargeAmended: 'charge.amended',
  chargeRepriced: 'charge.repriced',
  userProfileErased: 'user_profile.erased',
};

export const subjectOf = (event: JournalEvent): string => SUBJECTS[event.$case];

/** What charges add up to. Those without a cost are counted apart. */
export interface Total {
  nanos: bigint;
  charges: number;
  unpriced: number;
}

/** Which charges a total is about. */
export interface TotalOf {
  readonly userProfile?: string;
  /** Microseconds since the Unix epoch: only usage before it. */
  readonly endMicros?: bigint;
}

/** Follows the journal of a server from its first entry. */
export class JournalConsumer {
  readonly events: JournalEvent[] = [];
  readonly #stream: ClientReadableStream<WatchChargesResponse>;
  #failure: Error | undefined;

  constructor(client: ChargeServiceClient) {
    this.#stream = client.watchCharges({ startSequence: 1n, filter: undefined });
    this.#stream.on('error', (error) => (this.#failure = error));
    this.#stream.on('data', ({ event }: WatchChargesResponse) => {
      const expected = BigInt(this.events.length + 1);
      if (event?.value.sequence !== expected)
        this.#failure = new Error(`the entry after ${expected - 1n} is ${event?.value.sequence}`);
      else this.events.push(event);
    });
  }

  /** The event that this condition is true for, once it has arrived. */
  find(what: string, matches: (event: JournalEvent) => boolean): Promise<JournalEvent> {
    return this.#wait(what, () => this.events.find(matches));
  }

  /** The first events, once this many have arrived. */
  async first(count: number): Promise<readonly JournalEvent[]> {
    await this.#wait(`${count} events`, () => this.events.length >= count);
    return this.events.slice(0, count);
  }

  async #wait<T>(what: string, condition: () => T): Promise<NonNullable<T>> {
    const found = await waitFor(what, () => (this.#failure ? { failure: this.#failure } : condition()));
    if (this.#failure) throw this.#failure;
    return found as NonNullable<T>;
  }

  close(): void {
    this.#stream.cancel();
  }
}

/** What the events add up to: the rules by which a consumer counts. */
export function totalOf(events: Iterable<JournalEvent>, of: TotalOf = {}): Total {
  const total: Total = { nanos: 0n, charges: 0, unpriced: 0 };
  const add = (charge: Charge | undefined, sign: 1 | -1, cost = charge?.cost): void => {
    if (charge === undefined || !belongs(charge, of)) return;
    total.charges += sign;
    addCost(total, cost, sign);
  };
  for (const { $case, value } of events) {
    if ($case === 'userProfileErased') continue;
    if ($case === 'chargeVoided') {
      add(value.charge, -1);
      continue;
    }
    if ($case === 'chargeAmended') add(value.original, -1);
    if ($case === 'chargeRepriced') add(value.charge, -1, value.previousCost);
    add(value.charge, 1);
  }
  return total;
}

function belongs({ userProfile, usageTime }: Charge, of: TotalOf): boolean {
  if (of.userProfile !== undefined && userProfile !== of.userProfile) return false;
  return of.endMicros === undefined || (usageTime && fromProtoTimestamp(usageTime) < of.endMicros) === true;
}

export function addCost(total: Total, cost: Cost | undefined, sign: 1 | -1 = 1): void {
  if (cost?.amount === undefined) total.unpriced += sign;
  else total.nanos += BigInt(sign) * cost.amount.nanos;
}

/** The charge that the event is about; undefined: it is about none. */
export function chargeOfEvent({ $case, value }: JournalEvent): Charge | undefined {
  return $case === 'userProfileErased' ? undefined : value.charge;
}
