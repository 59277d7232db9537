/** What scenarios are made of. */

import type { Child } from './child.ts';
import type { CpuSeconds } from './cpu.ts';
import type { Environment } from './environment.ts';
import type { Job } from './load/jobs.ts';

/** What one contender did in one round. */
export interface Measurement {
  /** Calls, rows or events that were answered OK, and counted afterwards. */
  readonly count: number;
  /** From the first call to the last answer; with events, to the acknowledgement of the last one. */
  readonly seconds: number;
  /** The part of `seconds` after the last answer. */
  readonly drainSeconds?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** The longest. */
  readonly maxMs?: number;
  readonly cpuSeconds: CpuSeconds;
}

/** Somebody who does the work of a scenario: the service, or a peer. */
export interface Contender {
  readonly name: string;
  /** One round of about `seconds`. Throws if what was answered OK is not found afterwards. */
  measure(seconds: number): Promise<Measurement>;
  /** Between rounds, not measured: vacuums its database. */
  settle?(): Promise<void>;
}

/** From docs/performance.md: what is acceptable, and what would be very good. */
export interface Target {
  readonly bound: '≥' | '≤';
  readonly value: number;
  readonly stretch: number;
}

/** A comparison of two contenders in the same round. */
export interface Ratio {
  /** `create_256.vs_empty_call` and so on. */
  readonly key: string;
  readonly of: string;
  readonly to: string;
  readonly value: (of: Measurement, to: Measurement) => number;
  /** Absent: the ratio is only reported. */
  readonly target?: Target;
}

/** A scenario that is ready to run. */
export interface OpenScenario {
  readonly unit: 'calls' | 'rows' | 'events';
  readonly contenders: readonly Contender[];
  /** Those with a contender that is missing are left out. */
  readonly ratios: readonly Ratio[];
  /** Seconds of a contender's first round, which is not measured; default 5, or less with short rounds. */
  readonly warmUpSeconds?: number;
}

/** A figure that is no ratio. */
export interface Figure {
  readonly value: number | string;
  readonly target?: Target | undefined;
}

/** What a scenario gets when it opens. */
export interface Context {
  readonly environment: Environment;
  /** A load generator of the scenario's own. */
  readonly load: Child<Job>;
  /** Small sizes, to try things out. */
  readonly quick: boolean;
  /** Closed after the scenario, with everything that it opened. */
  readonly stack: AsyncDisposableStack;
  /** Adds a line below the scenario's table. */
  note(text: string): void;
  /** Adds a figure to the results; a later one with the same key replaces it. */
  report(key: string, figure: Figure): void;
}

/** A scenario by its name on the command line. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  open(context: Context): Promise<OpenScenario>;
}

/** Things per second, the drain included. */
export function rateOf({ count, seconds }: Measurement): number {
  return count / seconds;
}

/** Things per second until the last answer. The relay publishes meanwhile, but need not be done. */
export function answeredRateOf({ count, seconds, drainSeconds = 0 }: Measurement): number {
  return count / (seconds - drainSeconds);
}

/** CPU microseconds of the server processes per call, row or event. */
export function serverMicrosOf({ count, cpuSeconds }: Measurement): number {
  return (cpuSeconds.server * 1e6) / count;
}

/** Compares by dividing. */
export function quotientOf(by: (measurement: Measurement) => number): Ratio['value'] {
  return (of, to) => by(of) / by(to);
}

/** A ratio of rates, the drain included. */
export const rates = quotientOf(rateOf);
/** A ratio of rates without the drain. */
export const answeredRates = quotientOf(answeredRateOf);

/** More is better. */
export function atLeast(value: number, stretch: number): Target {
  return { bound: '≥', value, stretch };
}

/** Less is better. */
export function atMost(value: number, stretch: number): Target {
  return { bound: '≤', value, stretch };
}

/** Whether a value is as good as the target asks for. */
export function reaches(value: number, { bound, value: limit }: Target): boolean {
  return bound === '≥' ? value >= limit : value <= limit;
}
