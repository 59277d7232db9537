/** The charges that a command is about to correct, as a person has to see them before. */

import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import { CostSums } from '../costs.ts';
import { group } from '../progress.ts';
import { timeText } from '../prices/time.ts';

/** So many users or models are shown. */
const SHOWN_NAMES = 5;
const NAMES_MAX = 10_000;

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
  readonly #users = new Map<string, number>();
  readonly #models = new Map<string, number>();
  #first: Charge['usageTime'];
  #last: Charge['usageTime'];

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
      count(this.#users, charge.userProfile);
      count(this.#models, charge.model || 'no model');
      if (!this.#first || isBefore(charge.usageTime, this.#first)) this.#first = charge.usageTime;
      if (!this.#last || isBefore(this.#last, charge.usageTime)) this.#last = charge.usageTime;
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
      lines.push(`  users:    ${most(this.#users)}`, `  models:   ${most(this.#models)}`);
      lines.push(`  usage:    ${timeText(this.#first)} to ${timeText(this.#last)}`);
      lines.push(...this.costs.amounts.map((amount) => `  cost:     ${amount}`));
      if (this.costs.unpriced > 0) lines.push(`  without a price: ${group(this.costs.unpriced)}`);
    }
    if (this.voided > 0) lines.push(`  voided before: ${group(this.voided)}`);
    if (this.#amended.length > 0) lines.push(`  amended before: ${group(this.#amended.length)}`);
    return lines.join('\n');
  }

  toJSON() {
    return {
      charges: this.ids.length,
      already_voided: this.voided,
      amended: this.#amended.length,
      users: this.#users.size,
      models: this.#models.size,
      first_usage_time: this.#first ? timeText(this.#first) : null,
      last_usage_time: this.#last ? timeText(this.#last) : null,
      ...this.costs.toJSON(),
    };
  }
}

function count(names: Map<string, number>, name: string): void {
  const known = names.get(name);
  if (known !== undefined || names.size < NAMES_MAX) names.set(name, (known ?? 0) + 1);
}

function most(names: ReadonlyMap<string, number>): string {
  const shown = [...names].sort(([, a], [, b]) => b - a).slice(0, SHOWN_NAMES);
  const texts = shown.map(([name, charges]) => `${name} (${group(charges)})`);
  const rest = names.size - shown.length;
  return rest > 0 ? `${texts.join(', ')} and ${group(rest)} more` : texts.join(', ');
}

function isBefore(a: Charge['usageTime'], b: Charge['usageTime']): boolean {
  const [x, y] = [a?.seconds ?? 0n, b?.seconds ?? 0n];
  return x < y || (x === y && (a?.nanos ?? 0) < (b?.nanos ?? 0));
}
