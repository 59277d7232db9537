/** Whether charges can be recorded: what health and readiness are made of. */

import { type DatabaseFault, databaseFault } from '../database/database-fault.ts';
import { classifySqlError, isRefusal } from '../database/sql-errors.ts';

/** Tries out the write path. Both reject with the error that a charge would meet. */
export interface Probe {
  /** Cheap enough for every second, but it does not see everything. */
  check(): Promise<void>;
  /** Does all that a write does. */
  rehearse(): Promise<void>;
}

/** All in milliseconds. */
export interface WriteWatchOptions {
  /** Pause between two probes. While charges are committed at least this often, there is none. */
  readonly periodMs: number;
  /** A commit or a rehearsal that is younger than this is proof enough; then a check is all that is done. */
  readonly rehearsalPeriodMs: number;
  /** No answer to a probe within this time counts as a failure. */
  readonly answerMs: number;
  /**
   * How long everything has to fail until charges cannot be recorded: a lost connection or a statement that is too
   * slow is not enough.
   */
  readonly failingMs: number;
}

/**
 * Judges by what real writes meet, and by probes while there are none. The first commit or rehearsal that succeeds
 * ends a fault.
 */
export class WriteWatch {
  readonly #probe: Probe;
  readonly #options: WriteWatchOptions;
  #changed: (fault: DatabaseFault | undefined) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #first = Promise.withResolvers<void>();
  #isKnown = false;
  #fault: DatabaseFault | undefined;
  /** By `performance.now()`, like every time below. */
  #succeededAt = -Infinity;
  #committedAt = -Infinity;
  #rehearsedAt = -Infinity;
  /** Nothing has succeeded since then, and something has failed. */
  #failingSince: number | undefined;

  constructor(probe: Probe, options: WriteWatchOptions) {
    this.#probe = probe;
    this.#options = options;
  }

  /**
   * Probes at once, and from then on until `stop()`. `changed` is told the first verdict and every change; undefined:
   * charges can be recorded. Resolves after the first verdict.
   */
  start(changed: (fault: DatabaseFault | undefined) => void): Promise<void> {
    this.#changed = changed;
    void this.#run();
    return this.#first.promise;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Charges were committed. */
  committed(): void {
    this.#committedAt = performance.now();
    this.#succeed();
  }

  /** A write failed that began `seconds` ago. A value that PostgreSQL refuses says nothing about the next one. */
  failed(error: unknown, seconds: number): void {
    const kind = classifySqlError(error);
    if (kind !== 'retry' && kind !== 'timeout' && !isRefusal(error)) return;
    this.#fail(error, performance.now() - seconds * 1000);
  }

  async #run(): Promise<void> {
    const { periodMs } = this.#options;
    if (performance.now() - this.#committedAt >= periodMs) await this.#runProbe();
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#run(), periodMs);
  }

  async #runProbe(): Promise<void> {
    const { rehearsalPeriodMs, answerMs } = this.#options;
    const startedAt = performance.now();
    const provenAt = Math.max(this.#committedAt, this.#rehearsedAt);
    const rehearses = this.#failingSince !== undefined || startedAt - provenAt >= rehearsalPeriodMs;
    const silence = setTimeout(() => {
      if (this.#succeededAt > startedAt) return;
      const silent = new Error(`no answer within ${answerMs / 1000} s`);
      this.#fail(Object.assign(silent, { code: 'ETIMEDOUT' }), startedAt);
    }, answerMs);
    try {
      await (rehearses ? this.#probe.rehearse() : this.#probe.check());
      if (rehearses) this.#rehearsedAt = performance.now();
      // A check does not refute a write that has failed meanwhile.
      if (rehearses || this.#failingSince === undefined) this.#succeed();
    } catch (error) {
      this.#fail(error, startedAt);
    } finally {
      clearTimeout(silence);
    }
  }

  #succeed(): void {
    this.#succeededAt = performance.now();
    this.#failingSince = undefined;
    this.#report(undefined);
  }

  #fail(error: unknown, startedAt: number): void {
    this.#failingSince ??= Math.max(startedAt, this.#succeededAt);
    const failingMs = performance.now() - this.#failingSince;
    if (!this.#isKnown || failingMs >= this.#options.failingMs) this.#report(databaseFault(error));
  }

  #report(fault: DatabaseFault | undefined): void {
    if (this.#stopped || (this.#isKnown && fault?.problem === this.#fault?.problem)) return;
    this.#isKnown = true;
    this.#fault = fault;
    this.#changed(fault);
    this.#first.resolve();
  }
}
