/** What charges cost. */

import { providerToJSON, type Charge } from '../../generated/charge/v1/charge.ts';
import {
  CostStatus,
  unpricedReasonToJSON,
  usageKindToJSON,
  type Cost,
} from '../../generated/charge/v1/money.ts';
import { formatNanos } from './money.ts';
import { group } from './progress.ts';

/** So many models without a price are shown. */
const SHOWN_MODELS = 5;
/** So many are counted one by one. A file may have a model of its own in each row. */
const MODELS_MAX = 10_000;

/** Adds up costs, one exact sum for each currency. Charges without a cost are counted apart, and never as 0. */
export class CostSums {
  readonly #nanos = new Map<string, bigint>();
  readonly #unpricedModels = new Map<string, number>();
  unpriced = 0;

  /** Adds a charge as the service has answered it. */
  add({ cost, provider, otherProvider, model }: Charge): void {
    if (cost?.status === CostStatus.COST_STATUS_PRICED && cost.amount) {
      const { currencyCode, nanos } = cost.amount;
      this.#nanos.set(currencyCode, (this.#nanos.get(currencyCode) ?? 0n) + nanos);
    } else if (cost?.status === CostStatus.COST_STATUS_UNPRICED) {
      this.unpriced += 1;
      const name = `${otherProvider || providerToJSON(provider).replace('PROVIDER_', '')} ${model}`.trim();
      const known = this.#unpricedModels.get(name);
      if (known !== undefined || this.#unpricedModels.size < MODELS_MAX)
        this.#unpricedModels.set(name, (known ?? 0) + 1);
    }
  }

  /** Exact sums such as `12.345 USD`, in the order of the currencies. */
  get amounts(): string[] {
    return this.#sorted().map(([currency, nanos]) => `${formatNanos(nanos)} ${currency}`);
  }

  /** The models that most charges without a cost have, such as `OPENAI gpt-5.2 (12)`. */
  get unpricedModels(): string[] {
    return this.#mostUnpriced().map(([name, charges]) => `${name} (${group(charges)})`);
  }

  /** For `--json`. Nanos are texts, because they may exceed 2^53. */
  toJSON() {
    return {
      costs: this.#sorted().map(([currency, nanos]) => ({ currency_code: currency, nanos: String(nanos) })),
      unpriced: this.unpriced,
      unpriced_models: this.#mostUnpriced().map(([model, charges]) => ({ model, charges })),
    };
  }

  #sorted(): [string, bigint][] {
    return [...this.#nanos].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #mostUnpriced(): [string, number][] {
    return [...this.#unpricedModels].sort(([, a], [, b]) => b - a).slice(0, SHOWN_MODELS);
  }
}

/** A cost for people: `1.50 USD`, or why there is none. */
export function costText(cost: Cost | undefined): string {
  if (cost?.status === CostStatus.COST_STATUS_PRICED && cost.amount)
    return `${formatNanos(cost.amount.nanos)} ${cost.amount.currencyCode}`;
  if (cost?.status !== CostStatus.COST_STATUS_UNPRICED) return 'not known';
  const reason = unpricedReasonToJSON(cost.unpricedReason).replace('UNPRICED_REASON_', '');
  const kinds = cost.unpricedKinds.map((kind) => usageKindToJSON(kind).replace('USAGE_KIND_', ''));
  return `UNPRICED (${[reason, ...kinds].join(' ')})`;
}
