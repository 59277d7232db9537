/** What became of charges, and the tokens in them. */

import { type Tally, tallyCounter } from './tally.ts';

/** Counts charges. */
export interface ChargeMetrics {
  created(): void;
  replayed(): void;
  /** A created charge has no cost, for this reason: a name of `charge.v1.UnpricedReason` in lower case. */
  unpriced(reason: string): void;
  /** The charge itself was refused: a reason of `charge.v1.ErrorReason`. */
  rejected(reason: string): void;
  /** A charge was corrected. */
  corrected(state: 'voided' | 'amended'): void;
  /** The tokens of a charge that was created. */
  tokens(provider: string, model: string, tokens: TokenCounts): void;
}

/** `other`: what the total has beyond prompt and completion. */
export interface TokenCounts {
  readonly prompt: number;
  readonly completion: number;
  readonly other: number;
}

/** Declares them; a process has one server. */
export function createChargeMetrics(): ChargeMetrics {
  const charges = tallyCounter({
    name: 'charge_charges_total',
    help: 'Charges by outcome: created, replayed or rejected, the latter by reason of charge.v1.ErrorReason.',
    labelNames: ['outcome', 'reason'],
  });
  const created = charges({ outcome: 'created' });
  const replayed = charges({ outcome: 'replayed' });
  const rejected = new Map<string, Tally>();
  const unpricedCharges = tallyCounter({
    name: 'charge_charges_unpriced_total',
    help: 'Created charges without a cost, by reason of charge.v1.UnpricedReason.',
    labelNames: ['reason'],
  });
  const unpriced = new Map<string, Tally>();
  const corrections = tallyCounter({
    name: 'charge_corrections_total',
    help: 'Charges that were voided or amended.',
    labelNames: ['state'],
  });
  const corrected = { voided: corrections({ state: 'voided' }), amended: corrections({ state: 'amended' }) };
  const tokens = new TokenTallies();
  return {
    created: () => created.add(),
    replayed: () => replayed.add(),
    rejected: (reason) => {
      let tally = rejected.get(reason);
      if (tally === undefined) rejected.set(reason, (tally = charges({ outcome: 'rejected', reason })));
      tally.add();
    },
    unpriced: (reason) => {
      let tally = unpriced.get(reason);
      if (tally === undefined) unpriced.set(reason, (tally = unpricedCharges({ reason })));
      tally.add();
    },
    corrected: (state) => corrected[state].add(),
    tokens: (provider, model, counts) => tokens.add(provider, model, counts),
  };
}

/**
 * A model is any text that a caller likes. So only the first pairs of provider and model get series of their own, at
 * most 600 lines of a scrape for each process; the other models of a provider share one.
 */
export const MODELS_MAX = 200;
const OTHER_MODEL = 'other';
/** A model that becomes a label: none of the names in use is longer or has other characters. */
const MODEL_LABEL = /^[ -~]{0,100}$/;

/** The three series of a provider and model. */
type Tallies = Readonly<Record<keyof TokenCounts, Tally>>;

class TokenTallies {
  readonly #family = tallyCounter({
    name: 'charge_tokens_total',
    help: 'Tokens of created charges. The model is "other" beyond the first 200 pairs of provider and model.',
    labelNames: ['provider', 'model', 'token_type'],
  });
  readonly #byProvider = new Map<string, Map<string, Tallies>>();
  #models = 0;

  add(provider: string, model: string, { prompt, completion, other }: TokenCounts): void {
    const tallies = this.#byProvider.get(provider)?.get(model) ?? this.#addModel(provider, model);
    tallies.prompt.add(prompt);
    tallies.completion.add(completion);
    tallies.other.add(other);
  }

  #addModel(provider: string, model: string): Tallies {
    const fits = this.#models < MODELS_MAX && MODEL_LABEL.test(model);
    const label = fits ? model : OTHER_MODEL;
    let models = this.#byProvider.get(provider);
    if (models === undefined) this.#byProvider.set(provider, (models = new Map<string, Tallies>()));
    const known = models.get(label);
    if (known !== undefined) return known;
    if (fits) this.#models++;
    const series = (type: keyof TokenCounts) => this.#family({ provider, model: label, token_type: type });
    const tallies = { prompt: series('prompt'), completion: series('completion'), other: series('other') };
    models.set(label, tallies);
    return tallies;
  }
}
