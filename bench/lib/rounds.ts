/** Runs a scenario: everybody in turn, round after round, each round in another order. */

import { setTimeout as delay } from 'node:timers/promises';

import {
  answeredRateOf,
  type Contender,
  type Measurement,
  type OpenScenario,
  type Ratio,
  rateOf,
} from './scenario.ts';
import { type Spread, spread } from './stats.ts';

/** What Node needs until the hot functions are compiled for good, on a machine that has other work too. */
const WARM_UP_SECONDS = 5;
/** Lets sockets, buffers and the disk's queue come to rest. */
const PAUSE_MS = 250;

/** What is compared where more is better. */
export const HIGHER_IS_BETTER: ReadonlySet<Ratio['by']> = new Set(['rate', 'answered'] as const);

/** One round: contender → what it did. */
export type Round = Readonly<Record<string, Measurement>>;

/** What came of a ratio. */
export interface RatioResult extends Spread {
  readonly key: string;
  readonly by: Ratio['by'];
  readonly target: number | undefined;
  readonly stretch: number | undefined;
  /** Whether the median keeps the target; undefined: there is none. */
  readonly reached: boolean | undefined;
}

/** Runs the rounds; `progress` hears of each measurement. */
export async function runRounds(
  scenario: OpenScenario,
  options: { readonly rounds: number; readonly seconds: number },
  progress: (text: string) => void,
): Promise<Round[]> {
  const { contenders, unit } = scenario;
  for (const contender of contenders) {
    progress(`warming up ${contender.name}`);
    await measureOnce(contender, scenario.warmUpSeconds ?? Math.min(WARM_UP_SECONDS, options.seconds));
  }
  const rounds: Round[] = [];
  for (let index = 0; index < options.rounds; index++) {
    const measured: Record<string, Measurement> = {};
    for (const contender of rotated(contenders, index)) {
      const measurement = await measureOnce(contender, options.seconds);
      measured[contender.name] = measurement;
      progress(`round ${index + 1}: ${contender.name} ${Math.round(rateOf(measurement))} ${unit}/s`);
    }
    rounds.push(measured);
  }
  return rounds;
}

/** The ratio of each round, and of those the median, the lowest and the highest. */
export function ratioOf(ratio: Ratio, rounds: readonly Round[]): RatioResult {
  const result = spread(
    rounds.map((round) => value(round, ratio.of, ratio.by) / value(round, ratio.to, ratio.by)),
  );
  const { target, stretch } = ratio;
  const better = HIGHER_IS_BETTER.has(ratio.by) ? 1 : -1;
  return {
    ...result,
    key: ratio.key,
    by: ratio.by,
    target,
    stretch,
    reached: target === undefined ? undefined : (result.median - target) * better >= 0,
  };
}

async function measureOnce(contender: Contender, seconds: number): Promise<Measurement> {
  await delay(PAUSE_MS);
  const measurement = await contender.measure(seconds);
  await contender.settle?.();
  return measurement;
}

function value(round: Round, name: string, by: Ratio['by']): number {
  const measurement = round[name];
  if (measurement === undefined) return NaN;
  if (by === 'rate') return rateOf(measurement);
  if (by === 'answered') return answeredRateOf(measurement);
  return (by === 'p50' ? measurement.p50Ms : measurement.p99Ms) ?? NaN;
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
