/** Asks the service what it has already. */

import { Metadata, status as codes, type ServiceError } from '@grpc/grpc-js';
import pRetry, { AbortError } from 'p-retry';
import type { Charge } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import {
  ChargeServiceClient,
  type CreateChargeRequest,
  type GetChargeResponse,
  type ListChargesResponse,
  ListChargesOrder,
} from '../../../generated/charge/v1/charge_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { isLaterEqualRow } from './identity.ts';
import { adviceOn, describe, errorOfCall } from '../server-error.ts';

const CALL_TIMEOUT_MS = 10_000;
const RETRIES = { retries: 5, minTimeout: 200, maxTimeout: 5000 };
/** So many rows are asked about before an import. */
const ASKED_ROWS = 10;
/** A minute, a second and a millisecond. */
const CUT_MICROS = [60_000_000n, 1_000_000n, 1000n];
/** Charges of one moment that are compared with a row. */
const LISTED_MAX = 100;

type Callback<R> = (error: ServiceError | null, response: R) => void;

/** Reads charges, each by its own call. Every method rejects with a {@link ServiceUnavailable} if that fails. */
export class Lookup {
  readonly #client: ChargeServiceClient;

  constructor(address: string) {
    this.#client = openClient(ChargeServiceClient, address);
  }

  connect(timeoutMs: number): Promise<void> {
    return waitForServer(this.#client, timeoutMs);
  }

  close(): void {
    this.#client.close();
  }

  /** The charge that this request id made; undefined: there is none. */
  async chargeOf(requestId: string): Promise<Charge | undefined> {
    const key = { $case: 'requestId', value: requestId } as const;
    const response = await this.#call<GetChargeResponse>((done) =>
      this.#client.getCharge({ key }, new Metadata(), { deadline: Date.now() + CALL_TIMEOUT_MS }, done),
    );
    return response?.charge;
  }

  /**
   * How many of a few rows, spread over `requests`, look like a charge that is stored under another request
   * id: same time as far as the row tells it, same model and counts. `asked`: rows with a time whose own request id is new.
   */
  async lookAlikes(requests: readonly CreateChargeRequest[]): Promise<{ asked: number; alike: number }> {
    // The second of two equal rows is alike to the first one, and still an event of its own.
    const withTime = requests.filter(
      ({ charge, requestId }) => charge?.usageTime !== undefined && !isLaterEqualRow(requestId),
    );
    const step = Math.max(1, Math.floor(withTime.length / ASKED_ROWS));
    const asked = withTime.filter((_, index) => index % step === 0).slice(0, ASKED_ROWS);
    const answers = await Promise.all(
      asked.map(async ({ charge, requestId }) => {
        if (!charge || (await this.chargeOf(requestId))) return undefined;
        return (await this.#chargesAt(charge)).some((stored) => isAlike(stored, charge));
      }),
    );
    const ofNewRows = answers.filter((answer) => answer !== undefined);
    return { asked: ofNewRows.length, alike: ofNewRows.filter(Boolean).length };
  }

  async #chargesAt({ usageTime, model }: Charge): Promise<readonly Charge[]> {
    // The service keeps microseconds.
    const { seconds = 0n, nanos = 0 } = usageTime ?? {};
    const micros = seconds * 1_000_000n + BigInt(Math.trunc(nanos / 1000));
    // A spreadsheet may have cut the seconds off, or the digits after them.
    const cut = CUT_MICROS.find((unit) => micros % unit === 0n) ?? 1n;
    const filter = { ...NO_FILTER, model, startTime: timeAt(micros), endTime: timeAt(micros + cut) };
    const order = ListChargesOrder.LIST_CHARGES_ORDER_UNSPECIFIED;
    // Charges that were voided do not count, so they may be recorded again.
    const request = { pageSize: LISTED_MAX, pageToken: '', filter, order, includeCorrected: false };
    const response = await this.#call<ListChargesResponse>((done) =>
      this.#client.listCharges(request, new Metadata(), { deadline: Date.now() + CALL_TIMEOUT_MS }, done),
    );
    return response?.charges ?? [];
  }

  /** The response; undefined: NOT_FOUND. What a repeat may help against is repeated. */
  #call<R>(start: (done: Callback<R>) => unknown): Promise<R | undefined> {
    const attempt = (): Promise<R | undefined> =>
      new Promise((resolve, reject) => {
        start((error, response) => {
          if (error === null) return resolve(response);
          if (error.code === codes.NOT_FOUND) return resolve(undefined);
          const serverError = errorOfCall(error);
          const failure = new ServiceUnavailable(describe(serverError));
          reject(adviceOn(serverError) === 'give_up' ? new AbortError(failure) : failure);
        });
      });
    return pRetry(attempt, RETRIES);
  }
}

const NO_FILTER = {
  userProfile: '',
  sessionKey: '',
  provider: 0,
  chargeType: 0,
  model: '',
  reference: '',
  labels: new Map<string, string>(),
  importId: '',
} as const;

function timeAt(micros: bigint): { seconds: bigint; nanos: number } {
  // Rounds down, also before 1970.
  const seconds = micros / 1_000_000n - (micros % 1_000_000n < 0n ? 1n : 0n);
  return { seconds, nanos: Number(micros - seconds * 1_000_000n) * 1000 };
}

function isAlike(stored: Charge, charge: Charge): boolean {
  return stored.promptTokens === charge.promptTokens && stored.completionTokens === charge.completionTokens;
}

/**
 * Whether the service would answer a request with this stored charge (the content is the same), or the
 * name of the first field that differs.
 */
export function differenceFrom(stored: Charge, charge: Charge): string | undefined {
  const total = charge.totalTokens || charge.promptTokens + charge.completionTokens;
  const sent = comparable({ ...charge, totalTokens: total, usageTime: charge.usageTime ?? stored.usageTime });
  const kept = comparable(stored);
  return Object.keys(sent).find((field) => sent[field] !== kept[field]);
}

const SET_BY_SERVER: ReadonlySet<string> = new Set<keyof Charge>([
  'id',
  'createTime',
  'updateTime',
  'cost',
  'state',
  'amends',
  'replacedBy',
  'importId',
]);

/** The content of a charge, field by field, as far as the service compares it. */
export function comparable(charge: Charge): Readonly<Record<string, string>> {
  const { usageTime, labels, tokenDetails, serviceTier, quantities, ...rest } = charge;
  const fields = [
    ...Object.entries(rest).filter(([name]) => !SET_BY_SERVER.has(name)),
    ['serviceTier', serviceTier || ServiceTier.SERVICE_TIER_STANDARD],
    ['quantities', quantities.map(({ kind, amount }) => `${kind}=${amount}`).sort()],
    ['usageTime', usageTime && `${usageTime.seconds}.${Math.trunc(usageTime.nanos / 1000)}`],
    ['labels', JSON.stringify([...labels].sort())],
    [
      'tokenDetails',
      Object.entries(tokenDetails ?? {})
        .filter(([, tokens]) => tokens !== 0n)
        .sort()
        .join(),
    ],
  ];
  return Object.fromEntries(
    fields.map(([name, value]) => [
      name,
      JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? '',
    ]),
  ) as Record<string, string>;
}
