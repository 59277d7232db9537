/**
 * Counters of the hot path. prom-client looks a counter's labels up at each increment, which takes 0.1 to 0.4 µs. A
 * tally is a plain number that is added to the counter when somebody scrapes.
 */

import { Counter, type CounterConfiguration } from 'prom-client';

/** One series of a counter. */
export class Tally {
  #count = 0;

  add(count = 1): void {
    this.#count += count;
  }

  /** What was added since the last call. */
  take(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}

/** Declares a counter. The result adds a series to it, which starts at 0; each set of labels must be used once. */
export function tallyCounter<Label extends string>(
  config: Omit<CounterConfiguration<Label>, 'collect'>,
): (labels: Partial<Record<Label, string>>) => Tally {
  const series: { readonly labels: Partial<Record<Label, string>>; readonly tally: Tally }[] = [];
  new Counter({
    ...config,
    collect() {
      for (const { labels, tally } of series) this.inc(labels, tally.take());
    },
  });
  return (labels) => {
    const tally = new Tally();
    series.push({ labels, tally });
    return tally;
  };
}
