/** RecordCharges and the reads of charges in memory, on a real port, with the faults that an import must survive. */

import { EventEmitter, once } from 'node:events';
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  status as codes,
} from '@grpc/grpc-js';
import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import { type Cost, ServiceTier } from '../../../generated/charge/v1/money.ts';
import {
  type ChargeResult,
  ChargeServiceService,
  type CreateChargeRequest,
  type GetChargeRequest,
  type GetChargeResponse,
  type ListChargesRequest,
  type ListChargesResponse,
  Outcome,
  type RecordChargesRequest,
  type RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '../../../generated/google/rpc/error_details.ts';
import { Status } from '../../../generated/google/rpc/status.ts';

type Call = ServerDuplexStream<RecordChargesRequest, RecordChargesResponse>;

/** Faults, changed while the service runs. */
export interface Faults {
  /** Ends every stream without an answer, as a crash would, before this many more rows are stored. */
  crashAfterRows?: number;
  /** After a crash the row is stored but its answer is lost. */
  losesAnswer?: boolean;
  /** Refuses this many more rows as OVERLOADED, each with this delay. */
  overloads?: { rows: number; retryAfterMs: number };
  /** Ends the next so many streams with RESOURCE_EXHAUSTED at their first row. */
  overloadedStreams?: { streams: number; retryAfterMs: number };
  /** Ends the stream after this many more answers, with UNAVAILABLE or in order. */
  endsStream?: { afterRows: number; inOrder: boolean };
  /** Answers INTERNAL to rows of this user profile. */
  internalFor?: string;
  /** Reads a row and never answers. */
  isStuck?: boolean;
  /** What new charges cost. */
  costOf?: (charge: Charge) => Cost;
  /** Answers no row after this many stored ones, until {@link FakeService.release}. */
  holdsAfter?: number;
}

/** A service that keeps its charges in memory. */
export class FakeService {
  readonly charges = new Map<string, Charge>();
  readonly faults: Faults = {};
  streamsSeen = 0;
  /** The most rows that were ever read and not answered. */
  unansweredMax = 0;
  port = 0;
  readonly #released = new EventEmitter();
  #server: Server | undefined;
  #unanswered = 0;

  /** Listens on `port` (0: any free one). */
  async start(port = 0): Promise<void> {
    const server = new Server();
    server.addService(ChargeServiceService, {
      recordCharges: (call: Call) => void this.#serve(call),
      createCharge: unimplemented,
      batchCreateCharges: unimplemented,
      getCharge: (
        { request }: ServerUnaryCall<GetChargeRequest, GetChargeResponse>,
        done: sendUnaryData<GetChargeResponse>,
      ) => {
        const charge = request.key?.$case === 'requestId' ? this.charges.get(request.key.value) : undefined;
        if (charge) done(null, { charge });
        else done({ code: codes.NOT_FOUND, details: 'no such charge' });
      },
      listCharges: (
        { request: { filter, pageToken } }: ServerUnaryCall<ListChargesRequest, ListChargesResponse>,
        done: sendUnaryData<ListChargesResponse>,
      ) => {
        const isThere = ({ usageTime, model, state }: Charge): boolean =>
          state === ChargeState.CHARGE_STATE_ACTIVE &&
          model === filter?.model &&
          microsOf(usageTime) >= microsOf(filter.startTime) &&
          microsOf(usageTime) < microsOf(filter.endTime);
        // The first page ends at its limit of rows.
        if (pageToken === '') done(null, { charges: [], nextPageToken: 'more' });
        else done(null, { charges: [...this.charges.values()].filter(isThere), nextPageToken: '' });
      },
      watchCharges: unimplemented,
    });
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
    this.#server = server;
  }

  /** Cuts every connection and stops listening. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  /** Answers the rows that wait because of {@link Faults.holdsAfter}, and all later ones. */
  release(): void {
    delete this.faults.holdsAfter;
    this.#released.emit('release');
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async #serve(call: Call): Promise<void> {
    this.streamsSeen += 1;
    call.on('error', () => undefined);
    call.on('cancelled', () => call.destroy());
    try {
      for await (const { request } of call as AsyncIterable<RecordChargesRequest>) {
        if (!request) throw new Error('an item without a request');
        this.#unanswered += 1;
        this.unansweredMax = Math.max(this.unansweredMax, this.#unanswered);
        const result = await this.#judge(request, call);
        this.#unanswered -= 1;
        if (!result) return;
        if (!call.write({ result })) await once(call, 'drain');
      }
      call.end();
    } catch {
      // The client or the connection went away.
    }
  }

  async #judge(request: CreateChargeRequest, call: Call): Promise<ChargeResult | undefined> {
    const { faults } = this;
    if (faults.isStuck) return new Promise(() => undefined);
    while (this.charges.size >= (faults.holdsAfter ?? Infinity)) await once(this.#released, 'release');
    if (faults.overloadedStreams && faults.overloadedStreams.streams > 0) {
      faults.overloadedStreams.streams -= 1;
      const error = Object.assign(new Error('too many streams'), { code: codes.RESOURCE_EXHAUSTED });
      call.emit('error', error);
      return undefined;
    }
    if (faults.endsStream) {
      if (faults.endsStream.afterRows === 0) {
        const { inOrder } = faults.endsStream;
        delete faults.endsStream;
        if (inOrder) call.end();
        else call.emit('error', Object.assign(new Error('going away'), { code: codes.UNAVAILABLE }));
        // A return would destroy the stream before its last answers are written.
        return new Promise(() => undefined);
      }
      faults.endsStream.afterRows -= 1;
    }
    if (faults.crashAfterRows !== undefined) {
      if (faults.crashAfterRows === 0) {
        delete faults.crashAfterRows;
        if (faults.losesAnswer) this.record(request);
        this.stop();
        return undefined;
      }
      faults.crashAfterRows -= 1;
    }
    if (faults.overloads && faults.overloads.rows > 0) {
      faults.overloads.rows -= 1;
      return rejected(codes.RESOURCE_EXHAUSTED, 'OVERLOADED', 'too much work', {
        retryAfterMs: faults.overloads.retryAfterMs,
      });
    }
    if (request.charge?.userProfile === faults.internalFor && faults.internalFor !== undefined) {
      return rejected(codes.INTERNAL, 'INTERNAL', 'internal error', {
        metadata: new Map([['correlation_id', 'c-1']]),
      });
    }
    return this.record(request);
  }

  /** Stores a request by those rules of the contract that the tests need. */
  record({ charge: sent, requestId, importId }: CreateChargeRequest): ChargeResult {
    const charge = sent && {
      ...sent,
      serviceTier: sent.serviceTier || ServiceTier.SERVICE_TIER_STANDARD,
      state: ChargeState.CHARGE_STATE_ACTIVE,
      importId,
      cost: this.faults.costOf?.(sent),
      totalTokens: sent.totalTokens || sent.promptTokens + sent.completionTokens,
    };
    const long = charge && [...charge.userProfile].length > 255;
    if (!charge || charge.userProfile === '' || long || !/^[ -~]{1,128}$/.test(requestId)) {
      return rejected(codes.INVALID_ARGUMENT, 'VALIDATION_FAILED', 'the request breaks 1 rule', {
        violations: [
          {
            field: 'charge.user_profile',
            description: 'must have 1 to 255 characters',
            reason: 'string.max_len',
          },
        ],
      });
    }
    const known = this.charges.get(requestId);
    if (!known) {
      this.charges.set(requestId, charge);
      return { outcome: Outcome.OUTCOME_CREATED, charge, status: undefined };
    }
    const field = (Object.keys(charge) as (keyof Charge)[]).find(
      (name) => !SET_BY_SERVER.has(name) && textOf(known[name]) !== textOf(charge[name]),
    );
    if (field === undefined) return { outcome: Outcome.OUTCOME_REPLAYED, charge: known, status: undefined };
    const metadata = new Map([
      ['request_id', requestId],
      ['field', field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)],
      ['charge_id', 'c'],
    ]);
    return rejected(codes.ALREADY_EXISTS, 'REQUEST_ID_REUSED', 'the request id was used with other content', {
      metadata,
    });
  }
}

const SET_BY_SERVER: ReadonlySet<string> = new Set<keyof Charge>(['state', 'importId', 'cost']);

function microsOf(time: Charge['usageTime']): bigint {
  return time ? time.seconds * 1_000_000n + BigInt(Math.trunc(time.nanos / 1000)) : 0n;
}

function unimplemented(): never {
  throw new Error('not part of this fake');
}

function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) => {
      if (typeof part === 'bigint') return String(part);
      return part instanceof Map ? [...part].sort() : part;
    }) ?? ''
  );
}

interface Details {
  metadata?: Map<string, string>;
  violations?: { field: string; description: string; reason: string }[];
  retryAfterMs?: number;
}

function rejected(code: number, reason: string, message: string, details: Details): ChargeResult {
  const any = (type: string, bytes: Uint8Array) => ({
    typeUrl: `type.googleapis.com/google.rpc.${type}`,
    value: Buffer.from(bytes),
  });
  const info = ErrorInfo.fromPartial({ reason, domain: 'charge.v1' });
  info.metadata = details.metadata ?? new Map();
  const list = [any('ErrorInfo', ErrorInfo.encode(info).finish())];
  if (details.violations) {
    const fieldViolations = details.violations.map((violation) => ({
      ...violation,
      localizedMessage: undefined,
    }));
    list.push(any('BadRequest', BadRequest.encode({ fieldViolations }).finish()));
  }
  if (details.retryAfterMs !== undefined) {
    const retryDelay = { seconds: 0n, nanos: details.retryAfterMs * 1_000_000 };
    list.push(any('RetryInfo', RetryInfo.encode({ retryDelay }).finish()));
  }
  return {
    outcome: Outcome.OUTCOME_REJECTED,
    charge: undefined,
    status: Status.fromPartial({ code, message, details: list }),
  };
}
