/** Plays the steps of a timeline case against a server, and checks what each step expects. */

import { expect } from '@jest/globals';

import { type Charge, ChargeState } from '../../../generated/charge/v1/charge.ts';
import {
  type AmendChargeResponse,
  ChargeFilter,
  type ClosePeriodResponse,
  type VoidChargeResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import type { RepriceChargesResponse } from '../../../generated/charge/v1/price_service.ts';
import { fromProtoTimestamp } from '../../../src/grpc/timestamp.ts';
import { call, errorOf } from '../../support/server.ts';
import { chargeOfEvent, JournalConsumer, subjectOf, totalOf } from './journal-consumer.ts';
import { type CaseCharge, chargeOf, priceOf, type Step, timestamp } from './money-cases.ts';
import { MoneyClient, sumOf } from './money-client.ts';

/** What the prices of a case apply to, unless it is what its first charge used. */
const GPT_4O = { INPUT: 2_500_000_000n, OUTPUT: 10_000_000_000n, CACHE_READ: 1_250_000_000n };

/** Plays one case on a server of its own. The journal is empty at the beginning, and there are no prices. */
export class Timeline {
  readonly #client: MoneyClient;
  readonly #consumer: JournalConsumer;
  readonly #usage: CaseCharge;
  /** By the names that the cases use, which are the request ids. */
  readonly #ids = new Map<string, string>();
  readonly #usageTimes = new Map<string, string | undefined>();
  #prices = 0;
  #reprices = 0;
  /** The journal's last sequence, as far as the steps should have brought it. */
  #lastSequence = 0;

  constructor(address: string, steps: readonly Step[]) {
    this.#client = new MoneyClient(address);
    this.#consumer = new JournalConsumer(this.#client.charges);
    const first = steps.find(({ step }) => step === 'create_charge')?.charge;
    if (first === undefined || typeof first === 'string') throw new Error('the case records no charge');
    this.#usage = first;
  }

  async play(steps: readonly Step[]): Promise<void> {
    // Cases that do not speak of prices expect that of gpt-4o.
    if (steps.every(({ rates }) => rates === undefined))
      await this.#client.createPrice('gpt-4o', priceOf({ rates: GPT_4O }, this.#usage));
    for (const [index, step] of steps.entries()) {
      const action = this.#actions[step.step];
      if (!action) throw new Error(`unknown step ${step.step}`);
      await action(step).catch((error: unknown) => {
        throw new Error(`step ${index + 1} (${step.step}): ${(error as Error).message}`, { cause: error });
      });
    }
    await this.#expectConsistency();
  }

  close(): void {
    this.#consumer.close();
    this.#client.close();
  }

  readonly #actions: Readonly<Record<string, (step: Step) => Promise<void>>> = {
    create_price: (step) => this.#createPrice(step),
    create_price_refused: (step) => this.#createPriceRefused(step),
    create_charge: (step) => this.#createCharge(step),
    get_charge: (step) => this.#getCharge(step),
    reprice: (step) => this.#reprice(step),
    void: (step) => this.#void(step),
    amend: (step) => this.#amend(step),
    close_period: (step) => this.#closePeriod(step),
    total: (step) => this.#total(step),
    list: (step) => this.#list(step),
    watch: async (step) => {
      const events = await this.#consumer.first(this.#lastSequence);
      expect(events.map(subjectOf)).toEqual(step.expect);
    },
  };

  /**
   * The cases create some prices before they come into force (`now`). Here all of their effective times are past, so
   * `allow_past` is what says "this was known in time".
   */
  async #createPrice({ rates = {}, effective_time, version }: Step): Promise<void> {
    const price = priceOf({ rates }, this.#usage, effective_time);
    const response = await this.#client.createPrice(`price-${++this.#prices}`, price);
    expect(response).toMatchObject({ replayed: false, unchanged: false, price: { version } });
  }

  async #createPriceRefused({ effective_time, expect: expected }: Step): Promise<void> {
    const price = priceOf({ rates: GPT_4O }, this.#usage, effective_time);
    const refused = await errorOf(this.#client.createPrice('refused', price, { allowPast: false }));
    expect(refused).toMatchObject({ ...expected });
  }

  /**
   * A charge without a usage time has that of its recording, which the cases set (`now`) and the front door does not
   * let anybody set: its usage time is given instead. A replay repeats the content of the first request.
   */
  async #createCharge(step: Step): Promise<void> {
    const name = nameOf(step);
    const own = step.usage_time ?? chargeIn(step).usage_time ?? step.now;
    const usageTime = this.#usageTimes.get(name) ?? own;
    this.#usageTimes.set(name, usageTime);
    const response = await this.#client.createCharge(name, chargeOf(chargeIn(step), usageTime));
    const { charge } = response;
    if (!response.replayed) {
      this.#ids.set(name, charge?.id ?? '');
      this.#lastSequence++;
    }
    expect(charge?.id).toBe(this.#ids.get(name));
    const event = await this.#consumer.find(
      `${name} in the journal`,
      (found) => chargeOfEvent(found)?.id === charge?.id,
    );
    this.#expectCharge(charge, { replayed: response.replayed, sequence: event.value.sequence }, step);
  }

  async #getCharge(step: Step): Promise<void> {
    const charge = await this.#client.getCharge(nameOf(step));
    const sum = charge.cost?.lines.reduce((nanos, line) => nanos + line.nanos, 0n);
    expect(sum).toBe(charge.cost?.amount?.nanos);
    this.#expectCharge(charge, {}, step);
  }

  async #reprice({ dry_run = false, only_unpriced = true, expect: expected = {} }: Step): Promise<void> {
    const run = `run-${++this.#reprices}`;
    const filter = ChargeFilter.fromPartial({});
    filter.startTime = timestamp('2026-01-01T00:00:00Z');
    filter.endTime = timestamp('2027-01-01T00:00:00Z');
    const result = await call<RepriceChargesResponse>((callback) =>
      this.#client.prices.repriceCharges(
        {
          filter,
          includePriced: !only_unpriced,
          dryRun: dry_run,
          reason: dry_run ? '' : 'the price list was wrong',
          runId: dry_run ? '' : run,
          maxCharges: 0,
          pageToken: '',
          allowClosedPeriod: false,
        },
        callback,
      ),
    );
    const [amounts] = result.amounts;
    const changed = Number(result.changedCharges);
    const seen = {
      matched: result.matchedCharges,
      changed: result.changedCharges,
      before: amounts?.before?.nanos,
      after: amounts?.after?.nanos,
      events: [] as string[],
    };
    if (!dry_run && changed > 0) {
      const events = await this.#consumer.first(this.#lastSequence + changed);
      const added = events.slice(this.#lastSequence);
      seen.events = added.map(subjectOf);
      expect(added.every(({ value }) => 'runId' in value && value.runId === run)).toBe(true);
      this.#lastSequence += changed;
    }
    expect(result.lastSequence).toBe(dry_run || changed === 0 ? 0n : BigInt(this.#lastSequence));
    expect(result.nextPageToken).toBe('');
    expect(seen).toMatchObject(expected);
  }

  async #void(step: Step): Promise<void> {
    const response = call<VoidChargeResponse>((callback) =>
      this.#client.charges.voidCharge(
        {
          key: { $case: 'chargeRequestId', value: correctedBy(step) },
          requestId: nameOf(step),
          reason: step.reason ?? '',
          allowClosedPeriod: step.allow_closed_period ?? false,
        },
        callback,
      ),
    );
    if (isRefusal(step)) return this.#expectRefusal(response, step);
    const { charge, correction, replayed } = await response;
    if (!replayed) this.#lastSequence++;
    const event = await this.#expectCorrection(correction?.id, correction?.sequence);
    expect(charge?.id).toBe(this.#ids.get(correctedBy(step)));
    this.#expectCharge(charge, { replayed, sequence: correction?.sequence, event }, step);
  }

  async #amend(step: Step): Promise<void> {
    if (!step.replacement) throw new Error('the step has no replacement');
    const replacement = chargeOf(step.replacement);
    const response = call<AmendChargeResponse>((callback) =>
      this.#client.charges.amendCharge(
        {
          key: { $case: 'chargeRequestId', value: correctedBy(step) },
          charge: replacement,
          requestId: nameOf(step),
          reason: step.reason ?? '',
          allowClosedPeriod: false,
        },
        callback,
      ),
    );
    if (isRefusal(step)) return this.#expectRefusal(response, step);
    const { charge, original, correction, replayed } = await response;
    this.#lastSequence++;
    this.#ids.set(nameOf(step), charge?.id ?? '');
    const event = await this.#expectCorrection(correction?.id, correction?.sequence);
    expect(original).toMatchObject({
      id: this.#ids.get(correctedBy(step)),
      state: ChargeState.CHARGE_STATE_AMENDED,
      replacedBy: charge?.id,
    });
    this.#expectCharge(charge, { replayed, sequence: correction?.sequence, event }, step);
  }

  /** The journal has this correction at this place; resolves to its subject. */
  async #expectCorrection(id: string | undefined, sequence: bigint | undefined): Promise<string> {
    const event = await this.#consumer.find(`entry ${sequence}`, ({ value }) => value.sequence === sequence);
    expect(event.value).toMatchObject({ eventId: id, correction: { id, sequence } });
    return subjectOf(event);
  }

  async #closePeriod(step: Step): Promise<void> {
    const endTime = timestamp(step.end_time ?? '');
    const close = (): Promise<ClosePeriodResponse> =>
      call((callback) => this.#client.charges.closePeriod({ endTime }, callback));
    const response = await close();
    expect(await close()).toEqual(response);
    const end = { endMicros: fromProtoTimestamp(endTime) };
    const total = totalOf(await this.#consumer.first(Number(response.sequence)), end);
    expect({ sequence: response.sequence, nanos: total.nanos }).toEqual(step.expect);
  }

  /** The sum of what is listed, or what the events add up to at a place in the journal. */
  async #total({ user_profile, end_time, as_of_sequence, expect: expected = {} }: Step): Promise<void> {
    const endTime = end_time === undefined ? undefined : timestamp(end_time);
    const of = {
      ...(user_profile === undefined ? {} : { userProfile: user_profile }),
      ...(endTime === undefined ? {} : { endMicros: fromProtoTimestamp(endTime) }),
    };
    const asOf = Number(as_of_sequence ?? this.#lastSequence);
    const byEvents = totalOf(await this.#consumer.first(asOf), of);
    expect(byEvents.nanos).toBe(expected['nanos']);
    if ('charges' in expected) expect(BigInt(byEvents.charges)).toBe(expected['charges']);
    if (as_of_sequence !== undefined) return;
    const listed = await this.#client.list({ userProfile: user_profile ?? '', endTime });
    expect(sumOf(listed)).toEqual(byEvents);
  }

  async #list({ include_corrected = false, expect: expected }: Step): Promise<void> {
    const charges = await this.#client.list({}, { includeCorrected: include_corrected });
    const names = new Map([...this.#ids].map(([name, id]) => [id, name]));
    expect({ ids: charges.map(({ id }) => names.get(id)) }).toEqual(expected);
  }

  async #expectRefusal(response: Promise<unknown>, { expect: expected = {} }: Step): Promise<void> {
    const { code, reason, metadata } = await errorOf(response);
    const { field, replacement, ...rest } = expected;
    expect({ code, reason }).toEqual(rest);
    if (field !== undefined) expect(metadata['field']).toBe(field);
    if (replacement !== undefined)
      expect(metadata['replacement_id']).toBe(this.#ids.get(replacement as string));
  }

  #expectCharge(charge: Charge | undefined, more: object, { expect: expected = {} }: Step): void {
    const names = new Map([...this.#ids].map(([name, id]) => [id, name]));
    expect({
      ...more,
      nanos: charge?.cost?.amount?.nanos,
      price_version: charge?.cost?.priceVersion,
      revision: BigInt(charge?.cost?.revision ?? -1),
      state: stateName(charge?.state),
      amends: names.get(charge?.amends ?? ''),
      replaced_by: names.get(charge?.replacedBy ?? ''),
    }).toMatchObject(expected);
  }

  /** At the end the journal holds what the steps did and no more, and its sum is the sum of the list. */
  async #expectConsistency(): Promise<void> {
    const marker = await this.#client.createCharge('the end', chargeOf(this.#usage, '2026-11-01T00:00:00Z'));
    const event = await this.#consumer.find(
      'the end',
      (found) => chargeOfEvent(found)?.id === marker.charge?.id,
    );
    expect(event.value.sequence).toBe(BigInt(this.#lastSequence + 1));
    expect(sumOf(await this.#client.list())).toEqual(totalOf(this.#consumer.events));
  }
}

const isRefusal = ({ expect: expected = {} }: Step): boolean => 'code' in expected;

function nameOf({ request_id }: Step): string {
  if (request_id === undefined) throw new Error('the step has no request id');
  return request_id;
}

/** The name of the charge that a step corrects. */
function correctedBy({ charge }: Step): string {
  if (typeof charge !== 'string') throw new Error('the step names no charge');
  return charge;
}

function chargeIn({ charge }: Step): CaseCharge {
  if (charge === undefined || typeof charge === 'string') throw new Error('the step has no charge');
  return charge;
}

/** A state without its prefix. */
function stateName(state: ChargeState | undefined): string | undefined {
  const name = Object.entries(ChargeState).find(([, value]) => value === state)?.[0];
  return name?.replace('CHARGE_STATE_', '');
}
