/** On which days charges were used. */

import { group } from '../progress.ts';
import { timestampOf, timeText } from '../time.ts';

const DAY_MICROS = 86_400_000_000n;

/** Counts the days of UTC of charges that come in the order of their usage times. */
export class UsageDays {
  count = 0;
  #first: bigint | undefined;
  #last: bigint | undefined;

  /** Microseconds since 1970. */
  add(usageTime: bigint): void {
    if (this.#last === undefined || dayOf(this.#last) !== dayOf(usageTime)) this.count++;
    this.#first ??= usageTime;
    this.#last = usageTime;
  }

  /** ` on 3 days, from … to …`; empty: there was no charge. */
  toString(): string {
    if (this.#first === undefined || this.#last === undefined) return '';
    const [first, last] = [this.#first, this.#last].map((time) => timeText(timestampOf(time)));
    return ` on ${group(this.count)} day${this.count === 1 ? '' : 's'}, used from ${first} to ${last}`;
  }
}

function dayOf(micros: bigint): bigint {
  // Rounds down, also before 1970.
  return (micros - (((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS)) / DAY_MICROS;
}
