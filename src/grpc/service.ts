/** Adds services to a grpc-js server: methods get requests as bytes, and answer with bytes. */

import type { MethodDefinition, ServiceDefinition, Server, UntypedHandleCall } from '@grpc/grpc-js';

import type { MethodName, RpcContext } from './context.ts';

/** A method that can be added to a server; made by `unaryMethod`, `responseStreamMethod` and `duplexStreamMethod`. */
export interface RpcMethod {
  /** The largest request, or the largest one of a stream of requests. */
  readonly requestBytesMax: number;
  /** The handler for grpc-js. */
  bind(context: RpcContext, name: MethodName): UntypedHandleCall;
}

/** A service: its generated definition, and a method for each of its names. */
export interface RpcService<Definition extends ServiceDefinition = ServiceDefinition> {
  /** `charge.v1.ChargeService` and so on. */
  readonly name: string;
  readonly definition: Definition;
  readonly methods: { readonly [Name in keyof Definition]: RpcMethod };
}

const sameBytes = (bytes: Buffer): Buffer => bytes;

/**
 * grpc-js decodes nothing, so that a call is admitted before its message costs anything, and so that a
 * malformed message gets our answer instead of INTERNAL.
 */
export function addService(server: Server, { definition, methods }: RpcService, context: RpcContext): void {
  const asBytes = { requestDeserialize: sameBytes, responseSerialize: sameBytes };
  const entries = Object.entries(definition);
  server.addService(
    Object.fromEntries(entries.map(([name, method]) => [name, { ...method, ...asBytes }])),
    Object.fromEntries(
      entries.map(([name, method]) => [
        name,
        methods[name]?.bind(context, methodName(method)) as UntypedHandleCall,
      ]),
    ),
  );
}

/** The name in `/charge.v1.ChargeService/CreateCharge`. */
export function methodName({
  path,
  requestStream,
  responseStream,
}: Pick<MethodDefinition<never, never>, 'path' | 'requestStream' | 'responseStream'>): MethodName {
  const [, service = '', method = ''] = path.split('/');
  const type = requestStream
    ? responseStream
      ? 'bidi_stream'
      : 'client_stream'
    : responseStream
      ? 'server_stream'
      : 'unary';
  return { service, method, type };
}
