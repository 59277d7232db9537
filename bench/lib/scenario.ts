/** What scenarios are made of. */

import type { Environment } from './environment.ts';
import type { LoadClient } from './load/client.ts';

/** CPU seconds by who spent them. */
export interface CpuSeconds {
  /** Processes that take the calls or, where there are none, that write. */
  readonly server: number;
  /** The supervisor of the service, which relays. */
  readonly relay: number;
  /** Every process of PostgreSQL. */
  readonly database: number;
  readonly nats: number;
  /** The load generator. */
  readonly client: number;
}

/** What one contender did in one round. */
export interface Measurement {
  /** Calls, rows or events that were answered OK, and found afterwards. */
  readonly count: number;
  /** From the first call to the last answer, and to the last event's acknowledgement where there are events. */
  readonly seconds: number;
  /** The part of `seconds` after the last answer. */
  readonly drainSeconds?: number;
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  readonly cpuSeconds: CpuSeconds;
}

/** Somebody who does the work of a scenario in his way. */
export interface Contender {
  readonly name: string;
  /** One round of about `seconds`. Throws when what was answered OK is not there afterwards. */
  measure(seconds: number): Promise<Measurement>;
  /** Between rounds, unmeasured: brings its database to rest. */
  settle?(): Promise<void>;
}

/** A comparison of two contenders in the same round. */
export interface Ratio {
  /** `create_256.vs_empty_call` and so on. */
  readonly key: string;
  readonly of: string;
  readonly to: string;
  /** Which number is compared: `rate` counts the time of the drain, `answered` does not. */
  readonly by: 'rate' | 'answered' | 'p50' | 'p99';
  /** From performance.md: the least (rates) or most (latencies) that is acceptable. Absent: only reported. */
  readonly target?: number;
  readonly stretch?: number;
}

/** A scenario that is ready to run. */
export interface OpenScenario {
  readonly unit: 'calls' | 'rows' | 'events';
  readonly contenders: readonly Contender[];
  readonly ratios: readonly Ratio[];
  /** Seconds of a contender's unmeasured first round, instead of the usual ones. */
  readonly warmUpSeconds?: number;
}

/** What a scenario finds when it opens. */
export interface Context {
  readonly environment: Environment;
  /** A load generator of the scenario's own. */
  readonly load: LoadClient;
  /** Small sizes, for a look. */
  readonly quick: boolean;
  /** Whatever is opened goes here and is closed after the scenario. */
  readonly stack: AsyncDisposableStack;
  /** Adds a line below the scenario's table. */
  note(text: string): void;
  /** Adds a number that is no ratio to the results. */
  report(key: string, value: number | string): void;
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

/** Things per second until the last answer, while the relay was publishing but not yet done. */
export function answeredRateOf({ count, seconds, drainSeconds = 0 }: Measurement): number {
  return count / (seconds - drainSeconds);
}
