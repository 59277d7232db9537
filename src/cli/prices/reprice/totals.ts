/** What the pages of a reprice add up to. */

import type { RepriceChargesResponse } from '../../../../generated/charge/v1/price_service.ts';
import { formatNanos } from '../../money.ts';
import { group } from '../../progress.ts';

/** Sums over the pages so far. Its text is what a person sees meanwhile. */
export class RepriceTotals {
  matched = 0n;
  changed = 0n;
  unpriced = 0n;
  /** 0n: nothing was recorded. */
  lastSequence = 0n;
  /** Continues after the last page; empty: done, or not begun. */
  pageToken: string;
  readonly amounts = new Map<string, { before: bigint; after: bigint }>();

  constructor(pageToken: string) {
    this.pageToken = pageToken;
  }

  add(page: RepriceChargesResponse): void {
    this.matched += page.matchedCharges;
    this.changed += page.changedCharges;
    this.unpriced += page.unpricedCharges;
    if (page.lastSequence > 0n) this.lastSequence = page.lastSequence;
    this.pageToken = page.nextPageToken;
    for (const { before, after } of page.amounts) {
      const currency = before?.currencyCode ?? after?.currencyCode ?? '';
      const sum = this.amounts.get(currency) ?? { before: 0n, after: 0n };
      sum.before += before?.nanos ?? 0n;
      sum.after += after?.nanos ?? 0n;
      this.amounts.set(currency, sum);
    }
  }

  toString(): string {
    return `${group(this.matched)} charges, ${group(this.changed)} changed`;
  }

  /** Sums in nanos, in the order of the currencies. */
  sorted(): [string, { before: bigint; after: bigint }][] {
    return [...this.amounts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Sums as decimals of the currency's unit, in the order of the currencies. */
  decimals(): { currency: string; before: string; after: string; difference: string }[] {
    return this.sorted().map(([currency, { before, after }]) => ({
      currency,
      before: formatNanos(before),
      after: formatNanos(after),
      difference: `${after >= before ? '+' : ''}${formatNanos(after - before)}`,
    }));
  }
}
