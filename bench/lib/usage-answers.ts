/** Answers about usage in one form, whether the service or SQL gave them. */

import type { UsageRow } from '../../generated/charge/v1/usage_service.ts';

/** Sums by the name of the measure; those that are 0 are left out. */
type Sums = Map<string, bigint>;

/** Sums by day, provider and model. */
export type Answer = ReadonlyMap<string, Sums>;

/** A row of the plain SQL. */
export type SqlRow = Readonly<Record<string, string | number | null>>;

/** The service's rows. Without `complete` only what the short statement has. */
export function answerOfRows(rows: readonly UsageRow[], complete: boolean): Answer {
  return new Map(
    rows.map((row) => {
      const { group, windowStart } = row;
      const key = [windowStart?.seconds, group?.provider, group?.otherProvider, group?.model].join('|');
      const sums: Sums = new Map();
      add(sums, 'charges', row.charges);
      add(sums, 'unpriced', row.unpricedCharges);
      add(sums, 'prompt', row.promptTokens);
      add(sums, 'completion', row.completionTokens);
      add(sums, 'total', row.totalTokens);
      for (const { currencyCode, nanos } of row.costs) add(sums, `cost ${currencyCode}`, nanos);
      if (complete) addMore(sums, row);
      return [key, sums];
    }),
  );
}

function addMore(sums: Sums, { tokenDetails, quantities, reportedCosts }: UsageRow): void {
  add(sums, 'cache_read', tokenDetails?.cacheReadTokens);
  add(sums, 'cache_write_5m', tokenDetails?.cacheWrite5mTokens);
  add(sums, 'cache_write_1h', tokenDetails?.cacheWrite1hTokens);
  add(sums, 'reasoning', tokenDetails?.reasoningTokens);
  add(sums, 'audio_input', tokenDetails?.audioInputTokens);
  add(sums, 'audio_output', tokenDetails?.audioOutputTokens);
  add(sums, 'image_input', tokenDetails?.imageInputTokens);
  add(sums, 'image_output', tokenDetails?.imageOutputTokens);
  for (const { kind, amount } of quantities) add(sums, kind === 20 ? 'searches' : `kind ${kind}`, amount);
  for (const { currencyCode, nanos } of reportedCosts) add(sums, `reported ${currencyCode}`, nanos);
}

/** The rows of the plain SQL: one for each pair of currencies. */
export function answerOfSql(rows: readonly SqlRow[]): Answer {
  const answer = new Map<string, Sums>();
  for (const { day, provider, other_provider, model, currency, reported_currency, ...values } of rows) {
    const key = [Number(day), provider, other_provider ?? '', model].join('|');
    const sums: Sums = answer.get(key) ?? new Map<string, bigint>();
    answer.set(key, sums);
    for (const [name, value] of Object.entries(values)) {
      if (name === 'cost' && currency === null) add(sums, 'unpriced', BigInt(values['charges'] ?? 0));
      else
        add(
          sums,
          nameWith(name, { currency: currency ?? null, reported_currency: reported_currency ?? null }),
          BigInt(value ?? 0),
        );
    }
  }
  return answer;
}

function nameWith(name: string, { currency, reported_currency }: SqlRow): string {
  if (name === 'cost') return `cost ${currency}`;
  return name === 'reported' ? `reported ${reported_currency}` : name;
}

/** Throws unless both are the same to the last token and nano. */
export function expectEqual(question: string, answer: Answer, expected: Answer): void {
  if (answer.size !== expected.size)
    throw new Error(`${question}: ${answer.size} rows instead of ${expected.size}`);
  for (const [key, sums] of expected) {
    const found = answer.get(key);
    if (found === undefined) throw new Error(`${question}: no row ${key}`);
    for (const name of new Set([...found.keys(), ...sums.keys()])) {
      if (found.get(name) !== sums.get(name))
        throw new Error(`${question}, ${key}: ${name} is ${found.get(name)} instead of ${sums.get(name)}`);
    }
  }
}

function add(sums: Sums, name: string, amount: bigint | undefined): void {
  const sum = (sums.get(name) ?? 0n) + (amount ?? 0n);
  if (sum === 0n) sums.delete(name);
  else sums.set(name, sum);
}
