/** The corrections of charges in memory, on a real port, with the faults that a command must survive. */

import { once, EventEmitter } from 'node:events';
import {
  Metadata,
  Server,
  ServerCredentials,
  status as codes,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { Charge, ChargeState } from '../../../../generated/charge/v1/charge.ts';
import {
  ChargeServiceService,
  type AmendChargeRequest,
  type AmendChargeResponse,
  type ClosePeriodRequest,
  type ClosePeriodResponse,
  type GetChargeHistoryRequest,
  type GetChargeHistoryResponse,
  type GetChargeRequest,
  type GetChargeResponse,
  type ListChargesRequest,
  type ListChargesResponse,
  type VoidChargeRequest,
  type VoidChargeResponse,
} from '../../../../generated/charge/v1/charge_service.ts';
import { Correction } from '../../../../generated/charge/v1/event.ts';
import { Cost, CostStatus } from '../../../../generated/charge/v1/money.ts';
import {
  PriceServiceService,
  type EstimateCostRequest,
  type EstimateCostResponse,
} from '../../../../generated/charge/v1/price_service.ts';
import { ErrorInfo, RetryInfo } from '../../../../generated/google/rpc/error_details.ts';
import { Status } from '../../../../generated/google/rpc/status.ts';
import { runInProcess } from '../../support/in-process.ts';

type Handler<Q, R> = (request: Q) => R | Promise<R>;
const PAGE = 2;

/** Faults, changed while the service runs. */
export interface Faults {
  /** Refuses so many more voids as OVERLOADED. */
  overloads?: number;
  /** Answers so many more voids with UNAVAILABLE, after they were done. */
  lostAnswers?: number;
  /** Corrections of these charges end with PERIOD_CLOSED. */
  closed?: ReadonlySet<string>;
  /** Voids wait until {@link FakeCorrections.release}. */
  holds?: boolean;
  /** There is no EstimateCost. */
  hasNoPrices?: boolean;
}

/** A service that keeps its charges in memory. */
export class FakeCorrections {
  readonly charges = new Map<string, Charge>();
  readonly faults: Faults = {};
  readonly voids: VoidChargeRequest[] = [];
  readonly amendments: AmendChargeRequest[] = [];
  readonly closings: ClosePeriodRequest[] = [];
  history: GetChargeHistoryResponse | undefined;
  inFlightMax = 0;
  port = 0;
  readonly #requestIds = new Map<string, string>();
  readonly #voidIds = new Map<string, VoidChargeRequest>();
  readonly #amendIds = new Set<string>();
  readonly #released = new EventEmitter().setMaxListeners(0);
  readonly #server = new Server();
  #inFlight = 0;

  static async open(): Promise<FakeCorrections> {
    const service = new FakeCorrections();
    service.#server.addService(ChargeServiceService, service.#handlers());
    service.#server.addService(PriceServiceService, {
      estimateCost: unary<EstimateCostRequest, EstimateCostResponse>(() => service.#estimate()),
    });
    service.port = await new Promise<number>((resolve, reject) =>
      service.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    return service;
  }

  close(): void {
    this.#server.forceShutdown();
  }

  release(): void {
    delete this.faults.holds;
    this.#released.emit('release');
  }

  /** Keeps a charge as if it had been recorded. */
  put(number: number, fields: Partial<Charge> = {}): Charge {
    const id = `0193e4a0-0000-7000-8000-${String(number).padStart(12, '0')}`;
    const charge = Charge.fromPartial({
      id,
      userProfile: 'ann',
      provider: 1,
      chargeType: 1,
      model: 'm',
      promptTokens: 10n,
      completionTokens: 2n,
      totalTokens: 12n,
      usageTime: { seconds: 1_788_256_800n + BigInt(number), nanos: 0 },
      serviceTier: 1,
      state: ChargeState.CHARGE_STATE_ACTIVE,
      cost: { status: CostStatus.COST_STATUS_PRICED, amount: { currencyCode: 'USD', nanos: 1_500_000_000n } },
    });
    const kept = { ...charge, ...fields, id };
    this.charges.set(id, kept);
    this.#requestIds.set(`r${number}`, id);
    return kept;
  }

  /** Runs the program against this service, in this process. */
  run(...args: string[]) {
    return runInProcess(...args, '--address', `127.0.0.1:${this.port}`);
  }

  #handlers() {
    return {
      getCharge: unary<GetChargeRequest, GetChargeResponse>(({ key }) => {
        const id = key?.$case === 'requestId' ? this.#requestIds.get(key.value) : key?.value;
        const charge = this.charges.get(id ?? '');
        if (!charge) throw failure(codes.NOT_FOUND, 'CHARGE_NOT_FOUND');
        return { charge };
      }),
      listCharges: unary<ListChargesRequest, ListChargesResponse>(
        ({ filter, pageToken, includeCorrected }) => {
          const found = [...this.charges.values()].filter(
            ({ importId, state }) =>
              importId === filter?.importId &&
              (includeCorrected || state === ChargeState.CHARGE_STATE_ACTIVE),
          );
          // The first page ends at its limit of rows.
          if (pageToken === '') return { charges: [], nextPageToken: '0' };
          const start = Number(pageToken);
          const isLast = start + PAGE >= found.length;
          return {
            charges: found.slice(start, start + PAGE),
            nextPageToken: isLast ? '' : String(start + PAGE),
          };
        },
      ),
      voidCharge: unary<VoidChargeRequest, VoidChargeResponse>((request) => this.#void(request)),
      amendCharge: unary<AmendChargeRequest, AmendChargeResponse>((request) => this.#amend(request)),
      closePeriod: unary<ClosePeriodRequest, ClosePeriodResponse>((request) => {
        this.closings.push(request);
        return { endTime: request.endTime, sequence: 42n };
      }),
      getChargeHistory: unary<GetChargeHistoryRequest, GetChargeHistoryResponse>(() => {
        if (!this.history) throw failure(codes.NOT_FOUND, 'CHARGE_NOT_FOUND');
        return this.history;
      }),
    } as never;
  }

  async #void(request: VoidChargeRequest): Promise<VoidChargeResponse> {
    this.#inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight);
    try {
      if (this.faults.holds) await once(this.#released, 'release');
      if (this.#takes('overloads')) throw failure(codes.RESOURCE_EXHAUSTED, 'OVERLOADED');
      const done = this.#voidOnce(request);
      if (this.#takes('lostAnswers')) throw failure(codes.UNAVAILABLE, 'DATABASE_UNAVAILABLE');
      return done;
    } finally {
      this.#inFlight -= 1;
    }
  }

  #takes(name: 'overloads' | 'lostAnswers'): boolean {
    const left = this.faults[name] ?? 0;
    this.faults[name] = left - 1;
    return left > 0;
  }

  #voidOnce(request: VoidChargeRequest): VoidChargeResponse {
    this.voids.push(request);
    const id = request.key?.value ?? '';
    const charge = this.charges.get(id);
    if (!charge) throw failure(codes.NOT_FOUND, 'CHARGE_NOT_FOUND');
    const before = this.#voidIds.get(request.requestId);
    if (before && before.reason !== request.reason)
      throw failure(codes.ALREADY_EXISTS, 'REQUEST_ID_REUSED', { field: 'reason' });
    const correction = Correction.fromPartial({ reason: request.reason });
    if (before) return { charge, correction, replayed: true };
    if (charge.state !== ChargeState.CHARGE_STATE_ACTIVE)
      throw failure(codes.FAILED_PRECONDITION, 'CHARGE_ALREADY_CORRECTED', {
        state: charge.state === ChargeState.CHARGE_STATE_VOIDED ? 'VOIDED' : 'AMENDED',
      });
    if (this.faults.closed?.has(id) && !request.allowClosedPeriod)
      throw failure(codes.FAILED_PRECONDITION, 'PERIOD_CLOSED');
    charge.state = ChargeState.CHARGE_STATE_VOIDED;
    this.#voidIds.set(request.requestId, request);
    return { charge, correction, replayed: false };
  }

  #amend(request: AmendChargeRequest): AmendChargeResponse {
    this.amendments.push(request);
    const original = this.charges.get(request.key?.value ?? '');
    if (!original || !request.charge) throw failure(codes.NOT_FOUND, 'CHARGE_NOT_FOUND');
    if (original.state === ChargeState.CHARGE_STATE_AMENDED) {
      const charge = this.charges.get(original.replacedBy);
      const isSame = this.#amendIds.has(request.requestId);
      if (!charge || !isSame) throw failure(codes.FAILED_PRECONDITION, 'CHARGE_ALREADY_CORRECTED');
      return { charge, original, correction: Correction.fromPartial({}), replayed: true };
    }
    if (this.faults.closed?.has(original.id) && !request.allowClosedPeriod)
      throw failure(codes.FAILED_PRECONDITION, 'PERIOD_CLOSED');
    this.#amendIds.add(request.requestId);
    const charge = this.put(900, { ...request.charge, amends: original.id });
    original.state = ChargeState.CHARGE_STATE_AMENDED;
    original.replacedBy = charge.id;
    return { charge, original, correction: Correction.fromPartial({}), replayed: false };
  }

  #estimate(): EstimateCostResponse {
    if (this.faults.hasNoPrices) throw failure(codes.UNIMPLEMENTED, 'UNIMPLEMENTED');
    const cost = {
      status: CostStatus.COST_STATUS_PRICED,
      amount: { currencyCode: 'USD', nanos: 3_000_000_000n },
    };
    return { cost: Cost.fromPartial(cost) };
  }
}

function unary<Q, R>(handler: Handler<Q, R>) {
  return ({ request }: ServerUnaryCall<Q, R>, done: sendUnaryData<R>): void => {
    Promise.resolve()
      .then(() => handler(request))
      .then(
        (response) => done(null, response),
        (error: Error) => done(error as ServiceError),
      );
  };
}

/** Texts that name a field of the request. */
const TEXTS: Readonly<Record<string, string>> = { PERIOD_CLOSED: 'Set allow_closed_period.' };

function failure(code: codes, reason: string, details: Record<string, string> = {}): Error {
  const info = ErrorInfo.fromPartial({ reason, domain: 'charge.v1' });
  info.metadata = new Map(Object.entries(details));
  const any = (type: string, bytes: Uint8Array) => ({
    typeUrl: `type.googleapis.com/google.rpc.${type}`,
    value: Buffer.from(bytes),
  });
  const retry = RetryInfo.encode({ retryDelay: { seconds: 0n, nanos: 1_000_000 } }).finish();
  const list = [any('ErrorInfo', ErrorInfo.encode(info).finish())];
  if (reason === 'OVERLOADED') list.push(any('RetryInfo', retry));
  const metadata = new Metadata();
  const status = Status.encode(Status.fromPartial({ code, message: reason, details: list })).finish();
  metadata.set('grpc-status-details-bin', Buffer.from(status));
  return Object.assign(new Error(reason), { code, details: TEXTS[reason] ?? `text of ${reason}`, metadata });
}
