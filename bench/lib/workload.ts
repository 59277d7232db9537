/**
 * The charges that every contender writes: typical completions. 1000 user profiles; sessions of
 * about twenty charges; five models of three providers by weight; token counts spread over three
 * orders of magnitude; two labels on one charge in ten; no reference, no token details, and no usage
 * time: the server sets it. The same list on every machine and in every run. Request ids
 * are random UUIDs, the worst case for a unique index.
 */

import { Charge } from '../../generated/charge/v1/charge.ts';
import type { CreateChargeRequest } from '../../generated/charge/v1/charge_service.ts';
import type { ChargeContent } from '../../src/charges/charge.ts';

/** One charge in the plain form that peers in other languages read from JSON. */
export interface WorkloadRow {
  readonly userProfile: string;
  readonly sessionKey: string;
  readonly provider: number;
  readonly chargeType: number;
  readonly model: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Rows of the list; after the last, contenders begin again. */
const WORKLOAD_ROWS = 4096;

const USERS = 1000;
const ROWS_PER_SESSION = 20;
const COMPLETION = 1;
const LABELLED_SHARE = 0.1;

/** Numbers of `charge.v1.Provider`, with weights. */
export const MODELS = [
  { provider: 1, model: 'gpt-4o', weight: 40 },
  { provider: 1, model: 'gpt-4o-mini', weight: 25 },
  { provider: 1, model: 'o3-mini', weight: 10 },
  { provider: 3, model: 'gemini-2.5-flash', weight: 15 },
  { provider: 2, model: 'llama-3.3-70b-instruct', weight: 10 },
] as const;
const WEIGHTS = MODELS.reduce((sum, { weight }) => sum + weight, 0);

/** The list. */
export function workloadRows(): WorkloadRow[] {
  const random = mulberry32(20_260_401);
  return Array.from({ length: WORKLOAD_ROWS }, (_, index) => {
    const { provider, model } = pickModel(random() * WEIGHTS);
    const session = Math.floor(index / ROWS_PER_SESSION)
      .toString(16)
      .padStart(8, '0');
    return {
      userProfile: `user-${String(Math.floor(random() * USERS)).padStart(4, '0')}`,
      sessionKey: `session-${session}`,
      provider,
      chargeType: COMPLETION,
      model,
      promptTokens: Math.floor(10 ** (1.5 + random() * 2.5)),
      completionTokens: Math.floor(10 ** (1 + random() * 2)),
      labels: random() < LABELLED_SHARE ? { team: `team-${index % 16}`, environment: 'production' } : {},
    };
  });
}

/** The row as a request of the contract. */
export function toCreateRequest(row: WorkloadRow, requestId: string): CreateChargeRequest {
  const { labels, promptTokens, completionTokens, provider, chargeType, ...texts } = row;
  return {
    requestId,
    importId: '',
    charge: Charge.fromPartial({
      ...texts,
      provider: provider as Charge['provider'],
      chargeType: chargeType as Charge['chargeType'],
      promptTokens: BigInt(promptTokens),
      completionTokens: BigInt(completionTokens),
      labels: new Map(Object.entries(labels)),
    }),
  };
}

/** The row as the domain's content, with the total that the service adds. */
export function toContent(row: WorkloadRow): ChargeContent {
  return {
    userProfile: row.userProfile,
    sessionKey: row.sessionKey,
    provider: row.provider,
    otherProvider: '',
    chargeType: row.chargeType,
    promptTokens: BigInt(row.promptTokens),
    completionTokens: BigInt(row.completionTokens),
    totalTokens: BigInt(row.promptTokens + row.completionTokens),
    tokenDetails: undefined,
    model: row.model,
    reference: '',
    labels: new Map(Object.entries(row.labels)),
    usageTimeMicros: undefined,
    serviceTier: 1,
    region: '',
    quantities: new Map(),
    reportedCost: undefined,
    callOutcome: 0,
  };
}

function pickModel(at: number): (typeof MODELS)[number] {
  let left = at;
  for (const choice of MODELS) {
    left -= choice.weight;
    if (left < 0) return choice;
  }
  return MODELS[0];
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
