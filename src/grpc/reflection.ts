/** Server reflection v1 and v1alpha, from the bytes that `buf build` wrote. */

import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server, ServerDuplexStream, ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { service as healthDefinition } from 'grpc-health-check';

import { filesOfImage } from './contract-image.ts';
import type { Border } from './call.ts';
import { trackInfrastructureStream } from './infrastructure-stream.ts';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];
type Handler = (call: ServerDuplexStream<object, object>) => void;

/** The parts of `@grpc/reflection` 1.0.4 that stand behind its public face. */
interface ReflectionInternals {
  readonly files: Record<string, object>;
  readonly fileEncodings: Map<object, Uint8Array>;
  handleServerReflectionRequest(message: object): object;
}

/** Adds reflection for the contract of `image`, for health, and for itself. */
export function addReflection(server: Server, image: Uint8Array, border: Border): void {
  const contract = filesOfImage(image);
  const definitions = definitionsOf(new ReflectionService({}));
  const others = [healthDefinition as object, ...definitions]
    .flatMap(filesOfDefinition)
    .map(withMapEntryNames);
  const reflection = new ReflectionService({
    charge: { fileDescriptorProtos: [...contract, ...others].map((file) => Buffer.from(file)) },
  } as unknown as PackageDefinition);
  const { v1, v1Alpha } = reflection as unknown as Record<'v1' | 'v1Alpha', ReflectionInternals>;
  for (const [index, version] of [v1, v1Alpha].entries()) {
    keepOriginals(version, [...contract, ...others]);
    const definition = definitions[index];
    if (definition === undefined) throw new TypeError('reflection has changed its versions');
    server.addService(definition, { ServerReflectionInfo: handlerOf(version, border) });
  }
}

/**
 * The library decodes the descriptors with protobufjs and encodes them again, which drops every
 * option that protobufjs does not know: the labels of the enum values and the rules of the fields.
 */
function keepOriginals({ files, fileEncodings }: ReflectionInternals, originals: Uint8Array[]): void {
  // The files keep the order in which they were given.
  for (const [index, file] of Object.values(files).entries()) {
    const original = originals[index];
    if (original !== undefined) fileEncodings.set(file, original);
  }
}

/** The library writes without looking whether anyone reads: 100 KiB for a request of 20 bytes. */
function handlerOf(version: ReflectionInternals, border: Border): Handler {
  return (call) => {
    if (!trackInfrastructureStream(call, border)) return;
    call.on('data', (message: object) => {
      if (call.write(version.handleServerReflectionRequest(message))) return;
      call.pause();
      call.once('drain', () => call.resume());
    });
    call.on('end', () => call.end());
  };
}

function definitionsOf(reflection: ReflectionService): ServiceDefinition[] {
  const definitions: ServiceDefinition[] = [];
  reflection.addToServer({ addService: (definition) => definitions.push(definition) });
  return definitions;
}

/** The descriptors that proto-loader keeps beside each method. */
function filesOfDefinition(definition: object): Uint8Array[] {
  const [method] = Object.values(definition) as {
    readonly requestType: { readonly fileDescriptorProtos: Uint8Array[] };
  }[];
  return method?.requestType.fileDescriptorProtos ?? [];
}

/**
 * proto-loader names the entries of a map after its field, where the language demands `…Entry`:
 * grpcurl refuses health as a whole for it.
 */
function withMapEntryNames(file: Uint8Array): Uint8Array {
  const descriptor = fromBinary(FileDescriptorProtoSchema, file);
  for (const message of descriptor.messageType) nameMapEntries(message);
  return toBinary(FileDescriptorProtoSchema, descriptor);
}

function nameMapEntries(message: DescriptorProto): void {
  for (const entry of message.nestedType) {
    if (entry.options?.mapEntry !== true || entry.name.endsWith('Entry')) continue;
    const name = `${entry.name}Entry`;
    for (const field of message.field) if (field.typeName === entry.name) field.typeName = name;
    entry.name = name;
  }
}
