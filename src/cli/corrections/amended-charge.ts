/** A charge with other values in some fields, named as in `charge import --set`. */

import { Charge, Provider } from '../../../generated/charge/v1/charge.ts';
import { fieldNamed } from '../import/fields.ts';
import { newDraft, putParts } from '../import/to-charge.ts';
import { timeText } from '../prices/time.ts';

/** A field and its new text. An empty text takes the value away. */
export type Change = readonly [field: string, value: string];

/** What differs between two charges. */
export interface Difference {
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

/** Fields that hold no text, as they are without a value. */
const CLEAR: Readonly<Record<string, (charge: Charge) => void>> = {
  service_tier: (charge) => (charge.serviceTier = 0),
  call_outcome: (charge) => (charge.callOutcome = 0),
  reported_cost: (charge) => (charge.reportedCost = undefined),
};

/** The content of a charge, without what the server sets. */
export function contentOf(charge: Charge): Charge {
  const copy = Charge.decode(Charge.encode(charge).finish());
  const none = { id: '', amends: '', replacedBy: '', importId: '', state: 0 } as const;
  return { ...copy, ...none, createTime: undefined, updateTime: undefined, cost: undefined };
}

/** The content of the original with the changes. Adds to `faults` what cannot be read. */
export function amendedCharge(original: Charge, changes: readonly Change[], faults: string[]): Charge {
  const charge = contentOf(original);
  const draft = newDraft(charge, true);
  const names = new Set<string>();
  for (const [name, value] of changes) {
    const field = name === 'cache_write_tokens' ? undefined : fieldNamed(name);
    if (!field) {
      faults.push(`--set: a charge has no field ${name}`);
      continue;
    }
    names.add(field.name);
    const clear = CLEAR[field.name];
    if (value === '' && clear) clear(charge);
    else if (value === '' && field.name.startsWith('label.')) charge.labels.delete(field.name.slice(6));
    else field.read(draft, value, (_rule, description) => faults.push(`--set: ${field.name} ${description}`));
  }
  putParts(draft);
  const isSum = original.totalTokens === original.promptTokens + original.completionTokens;
  if (isSum && !names.has('total_tokens')) charge.totalTokens = charge.promptTokens + charge.completionTokens;
  if (charge.provider !== Provider.PROVIDER_OTHER && !names.has('other_provider')) charge.otherProvider = '';
  return charge;
}

/** The fields in which two contents differ, with the values of proto3 JSON. */
export function differencesOf(before: Charge, after: Charge): Difference[] {
  const [old, fresh] = [flat(before), flat(after)];
  const fields = [...new Set([...old.keys(), ...fresh.keys()])];
  return fields
    .map((field) => ({ field, before: old.get(field) ?? '', after: fresh.get(field) ?? '' }))
    .filter((difference) => difference.before !== difference.after);
}

function flat(charge: Charge): Map<string, string> {
  const { labels = {}, tokenDetails = {}, ...rest } = Charge.toJSON(charge) as Record<string, object>;
  const time = charge.usageTime && { usageTime: timeText(charge.usageTime) };
  const all = { ...rest, ...tokenDetails, ...time };
  const texts = Object.entries(all).map(([name, value]): [string, string] => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return new Map([
    ...texts.filter(([, value]) => value !== '0'),
    ...Object.entries(labels).map(([key, value]): [string, string] => [`label.${key}`, String(value)]),
  ]);
}
