/** Whatever is recorded, voided and amended in whatever order: lists, events and a model of the rules agree. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type {
  AmendChargeResponse,
  CreateChargeResponse,
  VoidChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { errorOf } from '../support/server.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  openCorrectionServer,
  reprice,
  totalsOfEvents,
  totalsOfList,
  voidCharge,
  watch,
} from './support/corrections.ts';

let server: CorrectionServer;
beforeAll(async () => {
  server = await openCorrectionServer();
});
afterAll(() => server.close());

/** `target` and `index` choose among what there is. */
type Step =
  | { readonly do: 'create'; readonly user: string; readonly tokens: number }
  | { readonly do: 'amend'; readonly target: number; readonly user: string; readonly tokens: number }
  | { readonly do: 'void' | 'reprice' | 'repeat'; readonly target: number };

const user = fc.constantFrom('alice', 'bob', 'carol');
const tokens = fc.integer({ min: 0, max: 9 });
const target = fc.nat({ max: 1_000 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant('create'), user, tokens }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('amend'), target, user, tokens }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constantFrom('void', 'repeat'), target }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('reprice'), target }), weight: 1 },
);

type Answer = CreateChargeResponse | VoidChargeResponse | AmendChargeResponse;

/** A charge as the rules have it. */
interface Modelled {
  readonly requestId: string;
  readonly id: string;
  readonly user: string;
  readonly tokens: number;
  nanos: bigint;
  active: boolean;
}

/** Runs steps against the service, and expects of each what the rules say. */
class Run {
  readonly charges: Modelled[] = [];
  readonly #prefix: string;
  /** Calls that succeeded, with their answers. */
  readonly #done: { readonly call: () => Promise<Answer>; readonly answer: Answer }[] = [];
  #requests = 0;
  /** Events that the steps have made. */
  events = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  async step(step: Step): Promise<void> {
    if (step.do === 'create') return this.#create(step.user, step.tokens);
    if (step.do === 'repeat') return this.#repeat(step.target);
    const charge = this.charges[step.target % Math.max(1, this.charges.length)];
    if (charge === undefined) return;
    if (step.do === 'void') return this.#void(charge);
    if (step.do === 'amend') return this.#amend(charge, step.user, step.tokens);
    if (!charge.active) return;
    charge.nanos += 1n;
    this.events++;
    return reprice(server.pool, charge.id, charge.nanos);
  }

  async repeatAll(): Promise<void> {
    await Promise.all(this.#done.map((_, index) => this.#repeat(index)));
  }

  async #create(user: string, tokens: number): Promise<void> {
    const requestId = this.#requestId();
    const charge = { userProfile: user, promptTokens: BigInt(tokens) };
    this.#record(requestId, user, tokens, await this.#run(() => create(server.client, requestId, charge)));
  }

  async #void(charge: Modelled): Promise<void> {
    const requestId = this.#requestId();
    const call = () => voidCharge(server.client, charge.requestId, { requestId });
    if (!charge.active) return this.#expectRefusal(call, 'CHARGE_ALREADY_CORRECTED');
    await this.#run(call);
    charge.active = false;
  }

  async #amend(charge: Modelled, user: string, tokens: number): Promise<void> {
    const requestId = this.#requestId();
    const change = { userProfile: user, promptTokens: BigInt(tokens) };
    const call = () => amendCharge(server.client, charge.requestId, requestId, change);
    if (!charge.active) return this.#expectRefusal(call, 'CHARGE_ALREADY_CORRECTED');
    if (charge.user === user && charge.tokens === tokens) {
      return this.#expectRefusal(call, 'AMENDMENT_UNCHANGED');
    }
    const answer = await this.#run(call);
    charge.active = false;
    this.#record(requestId, user, tokens, answer);
  }

  async #repeat(target: number): Promise<void> {
    const done = this.#done[target % Math.max(1, this.#done.length)];
    if (done === undefined) return;
    const { replayed, charge } = await done.call();
    expect({ replayed, id: charge?.id }).toEqual({ replayed: true, id: done.answer.charge?.id });
  }

  async #run<A extends Answer>(call: () => Promise<A>): Promise<A> {
    const answer = await call();
    expect(answer.replayed).toBe(false);
    this.#done.push({ call, answer });
    this.events++;
    return answer;
  }

  async #expectRefusal(call: () => Promise<Answer>, reason: string): Promise<void> {
    expect((await errorOf(call())).reason).toBe(reason);
  }

  #record(requestId: string, user: string, tokens: number, { charge }: CreateChargeResponse): void {
    const nanos = BigInt(tokens) * 2_500n + 5_000_000n;
    expect(charge?.cost?.amount?.nanos).toBe(nanos);
    this.charges.push({ requestId, id: charge?.id ?? '', user, tokens, nanos, active: true });
  }

  #requestId(): string {
    return `${this.#prefix}-${this.#requests++}`;
  }
}

/** Everything that the runs have left, as the totals of lists. */
function totalsOf(charges: readonly Modelled[]): Map<string, object> {
  const totals = new Map<string, { nanos: bigint; charges: number; unpriced: number }>();
  for (const { user, nanos, active } of charges) {
    if (!active) continue;
    const total = totals.get(user) ?? { nanos: 0n, charges: 0, unpriced: 0 };
    totals.set(user, { ...total, nanos: total.nanos + nanos, charges: total.charges + 1 });
  }
  return totals;
}

test('totals of lists, of events and of the rules are equal, and repeats change none of them', async () => {
  const charges: Modelled[] = [];
  let events = 0;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const run = new Run(`run-${runs++}`);
      for (const one of steps) await run.step(one);
      charges.push(...run.charges);
      events += run.events;
      const expected = totalsOf(charges);
      expect(await totalsOfList(server.client)).toEqual(expected);
      await run.repeatAll();
      expect(await totalsOfList(server.client)).toEqual(expected);
      expect(await server.rows()).toMatchObject({ sequence: events });
      if (events === 0) return;
      const journal = await watch(server.client, events);
      expect(journal.map(({ event }) => event?.value.sequence)).toEqual(
        journal.map((_, index) => BigInt(index + 1)),
      );
      expect(totalsOfEvents(journal)).toEqual(expected);
    }),
    // A failure is not shrunk: each run builds on what the ones before have left.
    { numRuns: 15, endOnFailure: true },
  );
});
