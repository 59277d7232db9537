/** Adds services to a grpc-js server: methods get requests as bytes, and answer with bytes. */

import type { ServiceDefinition, Server, UntypedHandleCall } from '@grpc/grpc-js';

import type { RpcContext } from './context.ts';

/** A method that can be added to a server; made by `unaryMethod`, `responseStreamMethod` and `duplexStreamMethod`. */
export interface RpcMethod {
  /** The largest request, or the largest one of a stream of requests. */
  readonly requestBytesMax: number;
  /** The handler for grpc-js. `name` is `CreateCharge` and so on. */
  bind(context: RpcContext, name: string): UntypedHandleCall;
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
  const names = Object.keys(definition);
  const definitionOf = (name: string) => ({
    ...definition[name],
    requestDeserialize: sameBytes,
    responseSerialize: sameBytes,
  });
  server.addService(
    Object.fromEntries(names.map((name) => [name, definitionOf(name)])) as ServiceDefinition,
    Object.fromEntries(
      names.map((name) => [
        name,
        methods[name]?.bind(context, methodName(definition, name)) as UntypedHandleCall,
      ]),
    ),
  );
}

/** `/charge.v1.ChargeService/CreateCharge` → `CreateCharge`. */
function methodName(definition: ServiceDefinition, name: string): string {
  return definition[name]?.path.split('/').at(-1) ?? name;
}
