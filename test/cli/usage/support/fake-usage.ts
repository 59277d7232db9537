/** A UsageService in memory, on a real port: it sums charges one by one. */

import {
  Metadata,
  Server,
  ServerCredentials,
  status as codes,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { Charge, Provider } from '../../../../generated/charge/v1/charge.ts';
import {
  ChargeServiceService,
  type ListChargesRequest,
  type ListChargesResponse,
} from '../../../../generated/charge/v1/charge_service.ts';
import { UsageKind } from '../../../../generated/charge/v1/money.ts';
import {
  UsageServiceService,
  type QueryUsageRequest,
  type QueryUsageResponse,
  type StreamUsageRequest,
  type StreamUsageResponse,
  type UsageQuery,
  type UsageRow,
} from '../../../../generated/charge/v1/usage_service.ts';
import { ErrorInfo } from '../../../../generated/google/rpc/error_details.ts';
import { Status } from '../../../../generated/google/rpc/status.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { runInProcess } from '../../support/in-process.ts';
import { answer, type Used } from './answer.ts';

/** The last sequence of the journal. */
export const SEQUENCE = 1234n;
/** Rows of one response of a stream. */
const PART = 400;

/** Faults, changed while the service runs. */
export interface Faults {
  /** Refuses every question with this reason. */
  refuses?: { code: codes; reason: string; message: string };
  /** Ends so many more streams with UNAVAILABLE before their first response. */
  lostStreams?: number;
  /** Ends streams with UNAVAILABLE after so many responses. */
  breaksAfter?: number;
  /** Streams send so many responses and then nothing. */
  stallsAfter?: number;
  /** A page has at most so many rows. */
  pageMax?: number;
}

/** A service that has these charges. */
export class FakeUsage {
  readonly used: Used[] = [];
  readonly faults: Faults = {};
  readonly queries: UsageQuery[] = [];
  readonly pageSizes: number[] = [];
  streams = 0;
  archiveEndTime: Timestamp | undefined;
  /** Of the terminal. Undefined: there is none. */
  width: number | undefined;
  port = 0;
  readonly #server = new Server();

  static async open(): Promise<FakeUsage> {
    const service = new FakeUsage();
    service.#server.addService(UsageServiceService, {
      queryUsage: (
        { request }: ServerUnaryCall<QueryUsageRequest, QueryUsageResponse>,
        done: sendUnaryData<QueryUsageResponse>,
      ) => service.#query(request, done),
      streamUsage: (call: ServerWritableStream<StreamUsageRequest, StreamUsageResponse>) =>
        service.#stream(call),
    });
    service.#server.addService(ChargeServiceService, {
      listCharges: (
        _call: ServerUnaryCall<ListChargesRequest, ListChargesResponse>,
        done: sendUnaryData<ListChargesResponse>,
      ) => done(null, { charges: service.#newest(), nextPageToken: '' }),
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

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Records usage; what is not given is the same for all. */
  put(...used: Partial<Used>[]): void {
    for (const one of used) this.used.push({ ...USUAL, ...one });
  }

  /** Runs the program against this service, in this process, as if nobody but a file received its output. */
  run(...args: string[]) {
    const { width } = this;
    Object.defineProperties(process.stdout, {
      isTTY: { value: false, configurable: true },
      columns: { get: () => width, configurable: true },
    });
    return runInProcess(...args, '--address', this.address);
  }

  #query(request: QueryUsageRequest, done: sendUnaryData<QueryUsageResponse>): void {
    const { query, pageSize, pageToken } = request;
    const { refuses, pageMax = Infinity } = this.faults;
    if (refuses) return done(failure(refuses));
    if (!query) throw new Error('a request without a query');
    this.queries.push(query);
    this.pageSizes.push(pageSize);
    const rows = answer(this.used, query);
    const start = Number(pageToken || 0);
    const end = start + Math.min(pageSize || 1000, pageMax);
    const nextPageToken = end < rows.length ? String(end) : '';
    const asOfSequence = query.asOfSequence ?? SEQUENCE;
    done(null, {
      rows: rows.slice(start, end),
      nextPageToken,
      asOfSequence,
      archiveEndTime: this.archiveEndTime,
    });
  }

  #stream(call: ServerWritableStream<StreamUsageRequest, StreamUsageResponse>): void {
    const { query } = call.request;
    const { lostStreams = 0, breaksAfter = Infinity, stallsAfter = Infinity } = this.faults;
    if (!query) throw new Error('a request without a query');
    this.streams += 1;
    const unavailable = failure({ code: codes.UNAVAILABLE, reason: 'SHUTTING_DOWN', message: 'going away' });
    if (lostStreams > 0) {
      this.faults.lostStreams = lostStreams - 1;
      return void call.emit('error', unavailable);
    }
    this.queries.push(query);
    const rows: UsageRow[] = answer(this.used, query);
    const asOfSequence = query.asOfSequence ?? SEQUENCE;
    for (let start = 0, part = 0; start < rows.length; start += PART, part += 1) {
      if (part === stallsAfter) return;
      if (part === breaksAfter) return void call.emit('error', unavailable);
      call.write({ rows: rows.slice(start, start + PART), asOfSequence });
    }
    call.end();
  }

  #newest(): Charge[] {
    const times = this.used.map(({ time }) => Date.parse(time)).sort((a, b) => b - a);
    const [newest] = times;
    if (newest === undefined) return [];
    return [Charge.fromPartial({ usageTime: { seconds: BigInt(newest) / 1000n, nanos: 0 } })];
  }
}

const USUAL: Used = {
  time: '2026-11-01T12:00:00Z',
  user: 'ann',
  provider: Provider.PROVIDER_OPENAI,
  model: 'gpt-5.2',
  labels: {},
  cost: ['USD', 1_500_000_000n],
  prompt: 1000n,
  completion: 200n,
  quantities: { [UsageKind.USAGE_KIND_SEARCH_QUERY]: 0n },
};

function failure({ code, reason, message }: { code: codes; reason: string; message: string }): Error & {
  code: codes;
} {
  const info = ErrorInfo.encode(ErrorInfo.fromPartial({ reason, domain: 'charge.v1' })).finish();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(info) }];
  const metadata = new Metadata();
  const status = Status.encode(Status.fromPartial({ code, message, details })).finish();
  metadata.set('grpc-status-details-bin', Buffer.from(status));
  return Object.assign(new Error(message), { code, details: message, metadata });
}
