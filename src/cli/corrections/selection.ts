/** The charges that a command is about to correct, as a person has to see them before. */

import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import { CostSums } from '../costs.ts';
import { NameCounts } from '../counts.ts';
import { group } from '../progress.ts';
import { safeName } from '../usage/names.ts';
import { BEGINNING, microsOf, timestampOf, timeText } from '../time.ts';

/** A charge and the one in its place. */
interface Amended {
  readonly id: string;
  readonly replacedBy: string;
}

/** Charges that count and can be voided, and those that cannot. */
export class Selection {
  /** Ids of the charges that count. */
  readonly ids: string[] = [];
  /** Charges that were voided before. */
  voided = 0;
  readonly #seen = new Set<string>();
  readonly #amended: Amended[] = [];
  readonly costs = new CostSums();
  readonly #users = new NameCounts();
  readonly #models = new NameCounts();
  /** Microseconds since 1970. */
  #first: bigint | undefined;
  #last: bigint | undefined;

  /** Adds a charge, unless it was added before. */
  add(charge: Charge): void {
    if (this.#seen.has(charge.id)) return;
    this.#seen.add(charge.id);
    if (charge.state === ChargeState.CHARGE_STATE_VOIDED) this.voided += 1;
    else if (charge.state === ChargeState.CHARGE_STATE_AMENDED)
      this.#amended.push({ id: charge.id, replacedBy: charge.replacedBy });
    else {
      this.ids.push(charge.id);
      this.costs.add(charge);
      this.#users.add(charge.userProfile);
      this.#models.add(charge.model || 'no model');
      const micros = microsOf(charge.usageTime ?? BEGINNING);
      if (this.#first === undefined || micros < this.#first) this.#first = micros;
      if (this.#last === undefined || micros > this.#last) this.#last = micros;
    }
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Charges that were amended before, and whose replacements are not selected. */
  get amended(): readonly Amended[] {
    return this.#amended.filter(({ replacedBy }) => !this.#seen.has(replacedBy));
  }

  toText(): string {
    const lines = [`  charges that count: ${group(this.ids.length)}`];
    if (this.ids.length > 0) {
      lines.push(`  users:    ${String(this.#users)}`, `  models:   ${String(this.#models)}`);
      lines.push(`  usage:    ${momentText(this.#first)} to ${momentText(this.#last)}`);
      lines.push(...this.costs.amounts.map((amount) => `  cost:     ${amount}`));
      if (this.costs.unpriced > 0) lines.push(`  without a price: ${group(this.costs.unpriced)}`);
    }
    if (this.voided > 0) lines.push(`  voided before: ${group(this.voided)}`);
    if (this.#amended.length > 0) lines.push(`  amended before: ${group(this.#amended.length)}`);
    return lines.map(safeName).join('\n');
  }

  toJSON() {
    return {
      charges: this.ids.length,
      already_voided: this.voided,
      amended: this.#amended.length,
      users: this.#users.size,
      models: this.#models.size,
      first_usage_time: momentText(this.#first),
      last_usage_time: momentText(this.#last),
      ...this.costs.toJSON(),
    };
  }
}

function momentText(micros: bigint | undefined): string | null {
  return micros === undefined ? null : timeText(timestampOf(micros));
}
