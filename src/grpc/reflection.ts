/** Server reflection v1 and v1alpha, from the descriptors that `buf build` wrote, with every option. */

import { createFileRegistry, type DescFile, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { status as Code } from '@grpc/grpc-js';

import {
  type ServerReflectionRequest,
  ServerReflectionRequest as RequestCodec,
  ServerReflectionResponse,
  ServerReflectionService,
} from '../../generated/grpc/reflection/v1/reflection.ts';
import { malformedMessage } from '../errors/failure.ts';
import { decodeStrictly } from './codec.ts';
import { filesOfImage } from './contract-image.ts';
import type { RpcService } from './service.ts';
import { duplexStreamMethod, type StreamCall } from './stream.ts';

type Response = NonNullable<ServerReflectionResponse['messageResponse']>;
type Registry = ReturnType<typeof createFileRegistry>;

const REQUEST_BYTES_MAX = 16 * 1024;

/**
 * Both versions of the service. (`@grpc/reflection` encodes the descriptors anew, which drops the labels
 * of the enum values and the rules of the fields.)
 */
export function reflectionServices(image: Uint8Array): RpcService[] {
  const answer = answers(image);
  const responseTo = (request: ServerReflectionRequest): ServerReflectionResponse => ({
    validHost: request.host,
    originalRequest: request,
    messageResponse: answer(request),
  });
  const method = duplexStreamMethod<ServerReflectionRequest, ServerReflectionResponse>({
    kind: 'infrastructure',
    requestBytesMax: REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(RequestCodec, bytes),
    validate: () => [],
    response: ServerReflectionResponse,
    run: (stream, requests) => {
      stream.onDrain((failure) => stream.fail(failure));
      requests.on('data', (bytes: Buffer) => {
        stream.counters.received(1);
        try {
          const request = stream.rules.decode(bytes);
          if (request === undefined) stream.fail(malformedMessage());
          else if (!stream.write(responseTo(request))) pauseUntilWritable(stream, requests);
        } catch (error) {
          stream.failWith(error);
        }
      });
      requests.on('end', () => stream.end());
      stream.signal.addEventListener('abort', () => stream.close());
    },
  });
  return ['v1', 'v1alpha'].map((version) => {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const definition = {
      serverReflectionInfo: {
        ...ServerReflectionService.serverReflectionInfo,
        path: `/${name}/ServerReflectionInfo`,
      },
    };
    return { name, definition, methods: { serverReflectionInfo: method } };
  });
}

/** A request of 20 bytes gets 100 KiB. If the client stops reading, the server stops reading its requests. */
function pauseUntilWritable(
  stream: StreamCall<ServerReflectionRequest, ServerReflectionResponse>,
  requests: { pause(): void; resume(): void },
): void {
  requests.pause();
  stream.onceWritable(() => requests.resume());
}

function answers(image: Uint8Array): (request: ServerReflectionRequest) => Response {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const bytesOf = new Map([...registry.files].map((file, index) => [file, filesOfImage(image)[index]]));
  const services = [...registry].filter(({ kind }) => kind === 'service').map(({ typeName }) => typeName);
  const withImports = (file: DescFile | undefined): Response =>
    file === undefined
      ? notFound('There is no such file or symbol.')
      : {
          $case: 'fileDescriptorResponse',
          value: {
            fileDescriptorProto: [...importsOf(file)].map((each) => Buffer.from(bytesOf.get(each) ?? [])),
          },
        };
  return ({ messageRequest }) => {
    switch (messageRequest?.$case) {
      case 'listServices':
        return { $case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return withImports(registry.getFile(messageRequest.value.replace(/\.proto$/, '')));
      case 'fileContainingSymbol':
        return withImports(fileOfSymbol(registry, messageRequest.value));
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = messageRequest.value;
        return withImports(
          extensionsOf(registry, containingType).find(({ number }) => number === extensionNumber)?.file,
        );
      }
      case 'allExtensionNumbersOfType': {
        const baseTypeName = messageRequest.value;
        if (registry.getMessage(baseTypeName) === undefined) return notFound('There is no such message.');
        const extensionNumber = extensionsOf(registry, baseTypeName).map(({ number }) => number);
        return { $case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber } };
      }
      case undefined:
        return {
          $case: 'errorResponse',
          value: { errorCode: Code.INVALID_ARGUMENT, errorMessage: 'The request asks for nothing.' },
        };
    }
  };
}

function notFound(errorMessage: string): Response {
  return { $case: 'errorResponse', value: { errorCode: Code.NOT_FOUND, errorMessage } };
}

/** A type, a service, or a member of either: a method, a field, an enum value. */
function fileOfSymbol(registry: Registry, symbol: string): DescFile | undefined {
  return (registry.get(symbol) ?? registry.get(symbol.replace(/\.[^.]*$/, '')))?.file;
}

function extensionsOf(registry: Registry, messageName: string) {
  return [...registry].filter(
    (type) => type.kind === 'extension' && type.extendee.typeName === messageName,
  ) as Extract<ReturnType<Registry['get']>, { kind: 'extension' }>[];
}

/** The file and everything that it imports, each once. */
function importsOf(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const dependency of file.dependencies) importsOf(dependency, found);
  return found;
}
