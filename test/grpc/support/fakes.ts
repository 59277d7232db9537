/** The three ports in memory, for the rules of the RPCs only: the real store has tests of its own. */

import { NOT_PRICED } from '../../../src/prices/index.ts';
import type { Charge, ChargeRequest, RecordResult } from '../../../src/charges/charge.ts';
import type { ChargeEvent } from '../../../src/charges/charge-event.ts';
import type {
  ChargeCorrector,
  JournalReader,
  ChargePage,
  ChargeReader,
  ChargeRecorder,
  ListQuery,
  ReadOptions,
  RecordOptions,
} from '../../../src/charges/ports.ts';

/** Corrects nothing: the rules of corrections are tested on a real store. */
export const NO_CORRECTOR: ChargeCorrector = {
  voidCharge: () => Promise.reject(new Error('no corrector')),
  amendCharge: () => Promise.reject(new Error('no corrector')),
  archiveCharges: () => Promise.reject(new Error('no corrector')),
  closePeriod: () => Promise.reject(new Error('no corrector')),
};

/** A journal in memory. `hold()` keeps recorded groups from being answered until `release()`. */
export class FakeJournal implements ChargeRecorder, ChargeReader, JournalReader {
  readonly entries: ChargeEvent[] = [];
  /** The groups that `record` was called with. */
  readonly groups: (readonly ChargeRequest[])[] = [];
  readonly signals: RecordOptions['signal'][] = [];
  readonly queries: ListQuery[] = [];
  readonly readOptions: (ReadOptions | undefined)[] = [];
  /** Thrown by the next calls of any port, one each. */
  readonly failures: unknown[] = [];
  /** Where each read of the journal began, and how many entries it gave. */
  readonly journalReads: { readonly after: bigint; readonly count: number }[] = [];
  /** Thrown by the next reads of the journal, one each. */
  readonly readFailures: unknown[] = [];
  readonly #byRequestId = new Map<string, ChargeRequest & { charge: Charge }>();
  #held: (() => void)[] | undefined;
  #waiters: (() => void)[] = [];
  #reading: Promise<void> = Promise.resolve();

  hold(): void {
    this.#held ??= [];
  }

  /** Answers the held groups, the latest first if asked, and holds no more. */
  release(order: 'in order' | 'reversed' = 'in order'): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const answer of order === 'in order' ? held : held.reverse()) answer();
  }

  /** Answers the group that has been held for longest, and holds the others. */
  releaseOne(): void {
    this.#held?.shift()?.();
  }

  /** Keeps lists from being answered until the function that it returns is called. */
  holdReads(): () => void {
    let release = (): void => {};
    this.#reading = new Promise((resolve) => (release = resolve));
    return release;
  }

  get heldGroups(): number {
    return this.#held?.length ?? 0;
  }

  async record(
    tenant: string,
    requests: readonly ChargeRequest[],
    { signal }: RecordOptions = {},
  ): Promise<RecordResult[]> {
    this.groups.push(requests);
    this.signals.push(signal);
    this.#failIfTold();
    const results = requests.map((request) => this.#recordOne(tenant, request));
    for (const wake of this.#waiters.splice(0)) wake();
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    return results;
  }

  findById(_tenant: string, id: string, options?: ReadOptions): Promise<Charge | undefined> {
    this.readOptions.push(options);
    return this.#unlessTold(() => this.entries.find(({ charge }) => charge.id === id)?.charge);
  }

  findByRequestId(_tenant: string, requestId: string): Promise<Charge | undefined> {
    return this.#unlessTold(() => this.#byRequestId.get(requestId)?.charge);
  }

  list(_tenant: string, query: ListQuery): Promise<ChargePage> {
    this.queries.push(query);
    return this.#reading.then(() =>
      this.#unlessTold(() => {
        const charges = this.entries.map(({ charge }) => charge);
        if (query.order === 'newest_first') charges.reverse();
        const start = charges.findIndex(({ id }) => id === query.after?.id) + 1;
        const page = charges.slice(start, start + query.limit);
        return { charges: page, next: start + page.length < charges.length ? page.at(-1) : undefined };
      }),
    );
  }

  history(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  requestIdOf(charge: Charge): string {
    return [...this.#byRequestId.values()].find((known) => known.charge.id === charge.id)?.requestId ?? '';
  }

  linesOf(): Promise<[]> {
    return Promise.resolve([]);
  }

  lastSequence(): Promise<bigint> {
    return this.#unlessTold(() => BigInt(this.entries.length));
  }

  archivedSequence(): Promise<bigint> {
    return Promise.resolve(0n);
  }

  read(_tenant: string, afterSequence: bigint, limit: number): Promise<ChargeEvent[]> {
    return this.#unlessTold(() => {
      if (this.readFailures.length > 0) throw this.readFailures.shift();
      const page = this.entries.slice(Number(afterSequence), Number(afterSequence) + limit);
      this.journalReads.push({ after: afterSequence, count: page.length });
      return page;
    });
  }

  waitForMore(_tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.entries.length > afterSequence) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      signal.addEventListener('abort', () => resolve());
    });
  }

  #unlessTold<T>(read: () => T): Promise<T> {
    return Promise.resolve().then(() => {
      this.#failIfTold();
      return read();
    });
  }

  #failIfTold(): void {
    if (this.failures.length > 0) throw this.failures.shift();
  }

  #recordOne(tenant: string, request: ChargeRequest): RecordResult {
    const { requestId, content } = request;
    const known = this.#byRequestId.get(requestId);
    if (known !== undefined) {
      if (known.content.userProfile === content.userProfile) {
        return { outcome: 'replayed', charge: known.charge };
      }
      const { id: chargeId, userProfile } = known.charge;
      return { outcome: 'conflict', requestId, chargeId, userProfile, field: 'user_profile' };
    }
    const number = this.entries.length + 1;
    const charge: Charge = {
      ...content,
      ...NOT_PRICED,
      amends: '',
      importId: '',
      id: `0190a0e0-0000-7000-8000-${String(number).padStart(12, '0')}`,
      usageTimeMicros: content.usageTimeMicros ?? BigInt(number),
      createTimeMicros: 1_700_000_000_000_000n + BigInt(number),
    };
    this.#byRequestId.set(requestId, { ...request, charge });
    const { traceparent } = request;
    this.entries.push({
      kind: 'created',
      id: charge.id,
      tenant,
      sequence: BigInt(number),
      charge,
      traceparent,
    });
    return { outcome: 'created', charge };
  }
}
