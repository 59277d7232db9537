/** The relay's connection to NATS: opened again after it was lost, and its stream checked now and then. */

import type { Broker } from './broker.ts';
import { PublishError } from './publisher.ts';
import type { StreamCondition } from './stream-condition.ts';

/** What the connection reports. */
export interface StreamConnectionEvents {
  connected(connected: boolean): void;
  /** The stream stores events, but may lose them. Reported again only if a check in between did not find it. */
  streamWarning(warning: string): void;
}

/** One for each relay. */
export class StreamConnection {
  readonly #open: () => Promise<Broker>;
  readonly #checkPeriodMs: number;
  readonly #events: StreamConnectionEvents;
  #broker: Broker | undefined;
  #condition: StreamCondition | undefined;
  /** On the clock of `performance.now()`. 0: the stream has to be checked before it is used. */
  #nextCheckAt = 0;

  /** While all is well, the stream is checked every `checkPeriodMs`. */
  constructor(open: () => Promise<Broker>, checkPeriodMs: number, events: StreamConnectionEvents) {
    this.#open = open;
    this.#checkPeriodMs = checkPeriodMs;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#broker !== undefined;
  }

  /** Why every event becomes a dead letter, if the last check has found that. */
  get refusesAll(): string | undefined {
    return this.#condition?.refusesAll;
  }

  /** Connects if necessary. Rejects with a {@link PublishError} if there is no stream that stores events. */
  async use(): Promise<Broker> {
    this.#broker ??= await this.#connect();
    const broker = this.#broker;
    if (performance.now() >= this.#nextCheckAt) await this.#check(broker);
    return broker;
  }

  /**
   * After a failure: resolves to the reason, for which the settings of the stream are asked again, because they
   * often say it better than a refused or missing acknowledgement.
   */
  async explain(error: unknown): Promise<unknown> {
    const wasChecked = this.#nextCheckAt > 0;
    this.#nextCheckAt = 0;
    if (!(error instanceof PublishError) || this.#broker === undefined) return error;
    const fault = wasChecked ? await this.#check(this.#broker).catch((found: unknown) => found) : undefined;
    this.#nextCheckAt = 0;
    return fault ?? error;
  }

  async close(): Promise<void> {
    const broker = this.#broker;
    if (broker === undefined) return;
    this.#lose();
    await broker.close().catch(() => undefined);
  }

  async #connect(): Promise<Broker> {
    const broker = await this.#open();
    this.#events.connected(true);
    void broker.closed.then(() => {
      if (this.#broker === broker) this.#lose();
    });
    return broker;
  }

  #lose(): void {
    this.#broker = undefined;
    this.#nextCheckAt = 0;
    this.#events.connected(false);
  }

  async #check(broker: Broker): Promise<void> {
    const before = this.#condition?.warnings ?? [];
    this.#condition = await broker.checkStream();
    const { faults, warnings } = this.#condition;
    for (const warning of warnings) if (!before.includes(warning)) this.#events.streamWarning(warning);
    if (faults.length > 0) throw new PublishError(faults.join('; '));
    this.#nextCheckAt = performance.now() + this.#checkPeriodMs;
  }
}
