/** `charge.v1.ChargeService` as grpc-js sees it: requests arrive as bytes, methods are wired up. */

import type {
  ServerDuplexStream,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';

import * as proto from '../../../generated/charge/v1/charge_service.ts';
import { type Encoder, encodeTransient } from '../../grpc/codec.ts';
import type { Failure } from '../../errors/service-error.ts';
import { admit, admitStreamOfRequests, type Border } from '../../grpc/call.ts';
import type { RpcDependencies } from '../../grpc/dependencies.ts';
import { grpcJsHandler } from '../../grpc/grpc-js-unary.ts';
import { batchCreateCharges } from './batch-create-charges.ts';
import { createCharge } from './create-charge.ts';
import { getCharge } from './get-charge.ts';
import { listCharges } from './list-charges.ts';
import { RecordChargesWork } from './record-charges.ts';
import { recordChargesMethod, watchChargesMethod } from './stream-methods.ts';
import { watchCharges } from './watch-charges.ts';
import { StreamCall, streamEndpoint } from '../../grpc/stream.ts';
import { unaryRunner, type UnaryMethod } from '../../grpc/unary.ts';
import type { UnaryEndpoint } from '../../grpc/unary-transport.ts';
import { createChargeCheck } from './charge-rules.ts';
import type { ContractRules } from '../../grpc/contract-rules.ts';

type MethodName = keyof typeof proto.ChargeServiceService;

const RESPONSES: Readonly<Record<MethodName, Encoder<never>>> = {
  createCharge: proto.CreateChargeResponse,
  batchCreateCharges: proto.BatchCreateChargesResponse,
  recordCharges: proto.RecordChargesResponse,
  getCharge: proto.GetChargeResponse,
  listCharges: proto.ListChargesResponse,
  watchCharges: proto.WatchChargesResponse,
};

/** The service for grpc-js, and its unary methods for a lane beside it. */
export interface ChargeService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  readonly unary: readonly UnaryEndpoint[];
}

/** The methods on the domain's ports. */
export function chargeService(
  dependencies: RpcDependencies,
  border: Border,
  rules: ContractRules,
): ChargeService {
  const definition = chargeServiceDefinition();
  const item = createChargeCheck(rules);
  const unary = unaryEndpoints(dependencies, border, rules, item);
  const handlers = Object.entries(unary).map(
    ([name, endpoint]) => [name, grpcJsHandler(endpoint.run)] as const,
  );
  return {
    definition,
    implementation: {
      ...Object.fromEntries(handlers),
      ...streamHandlers(dependencies, border, rules, item),
    },
    unary: Object.values(unary),
  };
}

/**
 * The generated definition with two changes. Requests stay bytes, so that nothing is decoded before
 * the call is admitted, and so that what is malformed is answered by us instead of with grpc-js's
 * INTERNAL. Responses are encoded once, into a buffer that grpc-js copies.
 */
function chargeServiceDefinition(): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(proto.ChargeServiceService).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer): Buffer => bytes;
      return [name, { ...method, requestDeserialize, responseSerialize: encoderOf(name as MethodName) }];
    }),
  );
}

function encoderOf(name: MethodName): (message: unknown) => Buffer {
  const codec = RESPONSES[name] as Encoder<unknown>;
  return (message) => encodeTransient(codec, message);
}

function unaryEndpoints(
  { recorder, reader, limits, metrics }: RpcDependencies,
  border: Border,
  rules: ContractRules,
  item: ReturnType<typeof createChargeCheck>,
): Partial<Record<MethodName, UnaryEndpoint>> {
  const size = rules.checkOf('charge.v1.BatchCreateChargesRequest', proto.BatchCreateChargesRequest);
  const getCheck = rules.checkOf('charge.v1.GetChargeRequest', proto.GetChargeRequest);
  const listCheck = rules.checkOf('charge.v1.ListChargesRequest', proto.ListChargesRequest);
  const endpoint = <Req, Res>(name: MethodName, method: UnaryMethod<Req, Res>): UnaryEndpoint => ({
    path: proto.ChargeServiceService[name].path,
    messageBytesMax: method.messageBytesMax,
    heldBytes: border.heldBytes,
    admission: border.admission,
    encode: encoderOf(name),
    run: unaryRunner(method, border),
  });
  return {
    createCharge: endpoint('createCharge', createCharge(recorder, limits, item)),
    batchCreateCharges: endpoint(
      'batchCreateCharges',
      batchCreateCharges(recorder, limits, metrics, { size, item }),
    ),
    getCharge: endpoint('getCharge', getCharge(reader, getCheck)),
    listCharges: endpoint('listCharges', listCharges(reader, listCheck)),
  };
}

function streamHandlers(
  { recorder, journal, limits }: RpcDependencies,
  border: Border,
  rules: ContractRules,
  item: ReturnType<typeof createChargeCheck>,
): UntypedServiceImplementation {
  const record = streamEndpoint(recordChargesMethod(limits), 'record', border);
  const watchCheck = rules.checkOf('charge.v1.WatchChargesRequest', proto.WatchChargesRequest);
  const watch = streamEndpoint(watchChargesMethod(watchCheck), 'watch', border);
  return {
    recordCharges(call: ServerDuplexStream<Buffer, proto.RecordChargesResponse>) {
      const stream = new StreamCall(record, call);
      const failure = admitStreamOfRequests(stream);
      if (failure === undefined) new RecordChargesWork(stream, call, recorder, item).start();
      else refuse(stream, failure);
    },
    watchCharges(call: ServerWritableStream<Buffer, proto.WatchChargesResponse>) {
      const stream = new StreamCall(watch, call);
      const failure = admit(stream);
      if (failure !== undefined || stream.request === undefined) refuse(stream, failure);
      else void watchCharges(stream, stream.request, journal);
    },
  };
}

function refuse(stream: StreamCall<unknown, never>, failure: Failure | undefined): void {
  if (failure !== undefined) stream.fail(failure);
  stream.close();
}
