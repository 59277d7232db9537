/** Runs a scenario: every contender in turn, round after round, each round in another order. */

import { setTimeout as delay } from 'node:timers/promises';

import {
  type Contender,
  type Measurement,
  type OpenScenario,
  type Ratio,
  rateOf,
  reaches,
  type Target,
} from './scenario.ts';

/** Node needs that long to compile the hot functions for good. */
const WARM_UP_SECONDS = 5;
/** Lets sockets, buffers and the queue of the disk become quiet. */
const PAUSE_MS = 250;

/** One round: what each contender did, by name. */
export type Round = Readonly<Record<string, Measurement>>;

/** A ratio over all rounds. */
export interface RatioResult {
  readonly key: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly target: Target | undefined;
  /** Whether the median reaches the target; undefined: there is none. */
  readonly reached: boolean | undefined;
}

/** Runs the rounds; `progress` gets a line for each measurement. */
export async function runRounds(
  { contenders, unit, warmUpSeconds }: OpenScenario,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  progress: (text: string) => void,
): Promise<Round[]> {
  for (const contender of contenders) {
    progress(`warming up ${contender.name}`);
    await measureOnce(contender, warmUpSeconds ?? Math.min(WARM_UP_SECONDS, seconds));
  }
  const measured: Round[] = [];
  for (let index = 0; index < rounds; index++) {
    const round: Record<string, Measurement> = {};
    const first = index % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const measurement = await measureOnce(contender, seconds);
      round[contender.name] = measurement;
      progress(`round ${index + 1}: ${contender.name} ${Math.round(rateOf(measurement))} ${unit}/s`);
    }
    measured.push(round);
  }
  return measured;
}

/** The value of each round, and of those the median, the lowest and the highest. */
export function ratioOf({ key, of, to, value, target }: Ratio, rounds: readonly Round[]): RatioResult {
  const values = rounds.flatMap((round) => {
    const [ofThis, toThat] = [round[of], round[to]];
    return ofThis === undefined || toThat === undefined ? [] : [value(ofThis, toThat)];
  });
  const middle = median(values);
  return {
    key,
    median: middle,
    min: Math.min(...values),
    max: Math.max(...values),
    target,
    reached: target && reaches(middle, target),
  };
}

/** The middle value, or the mean of the two middle ones; NaN if there is none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? NaN;
  return ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

async function measureOnce(contender: Contender, seconds: number): Promise<Measurement> {
  await delay(PAUSE_MS);
  const measurement = await contender.measure(seconds);
  await contender.settle?.();
  return measurement;
}
