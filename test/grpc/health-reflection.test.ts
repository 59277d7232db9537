/** Health both ways, and reflection with every option of the contract. */

import { createFileRegistry, fromBinary, create, type DescEnum, getOption } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { settled, waitFor } from '../support/wait-for.ts';
import { healthClient, watchHealth } from './support/health.ts';
import { connectRaw, frame, open } from './support/raw.ts';
import { errorOf, failureOf, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer({ streamsMax: 3 });
});
afterEach(() => fixture.close());

test('health goes both ways, for checks, lists and watches', async () => {
  const { server, address } = fixture;
  const health = healthClient(address);
  const watch = watchHealth(address, 'charge.v1.ChargeService');
  await waitFor('the first status', () => watch.statuses.length === 1);
  expect(await health.check('charge.v1.ChargeService')).toBe('SERVING');
  server.setServing('charge.v1.ChargeService', false);
  expect(await health.check('charge.v1.ChargeService')).toBe('NOT_SERVING');
  expect(await health.check('')).toBe('SERVING');
  server.setServing('charge.v1.ChargeService', false);
  server.setServing('charge.v1.ChargeService', true);
  await waitFor('every change', () => watch.statuses.length === 3);
  expect(watch.statuses).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']);
  server.setServing('charge.v1.events', false);
  expect(await health.list()).toEqual({
    '': 'SERVING',
    'charge.v1.ChargeService': 'SERVING',
    'charge.v1.events': 'NOT_SERVING',
  });
  health.close();
  watch.cancel();
});

test('an unknown service is NOT_FOUND, and SERVICE_UNKNOWN to a watch, however long its name', async () => {
  const { address, server } = fixture;
  const health = healthClient(address);
  const name = 'x'.repeat(60_000);
  expect((await failureOf(health.check(name))).code).toBe('NOT_FOUND');
  expect((await failureOf(health.check('x'.repeat(70_000)))).reason).toBe('MESSAGE_TOO_LARGE');
  const watch = watchHealth(address, name);
  await waitFor('the status', () => watch.statuses.length === 1);
  expect(watch.statuses).toEqual(['SERVICE_UNKNOWN']);
  watch.cancel();
  await waitFor('its end', () => server.load.infrastructureStreams === 0);
  health.close();
});

test('watches of health are bounded apart from those of charges', async () => {
  const { address, server, client } = fixture;
  // Each on a connection of its own: those may have twice as many together.
  const watches = Array.from({ length: 6 }, () => watchHealth(address, ''));
  await waitFor('six', () => server.load.infrastructureStreams === 6);
  expect(await watchHealth(address, '').ended).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'OVERLOADED',
  });
  const watch = client.watchCharges({ startSequence: 1n, filter: undefined });
  watch.on('error', () => {});
  await waitFor('a watch of charges', () => server.load.watchStreams === 1);
  watch.cancel();
  for (const each of watches) each.cancel();
});

interface Reflected {
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: Uint8Array[] };
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly errorResponse?: { readonly errorCode: number };
}

const definitions: ServiceDefinition[] = [];
new ReflectionService({}).addToServer({ addService: (definition) => definitions.push(definition) });

/** Asks the reflection service of a version for each request in turn. */
async function reflect(version: ServiceDefinition, requests: object[]): Promise<Reflected[]> {
  const client = new Client(fixture.address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const { path, requestSerialize, responseDeserialize } = version[
    'ServerReflectionInfo'
  ] as ServiceDefinition[string];
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const responses: Reflected[] = [];
  stream.on('data', (response: Reflected) => responses.push(response));
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('end', resolve);
    stream.on('error', (error) => reject(new Error(errorOf(error).text)));
  });
  for (const request of requests) stream.write(request);
  stream.end();
  await ended;
  client.close();
  return responses;
}

test.each(['v1', 'v1alpha'] as const)(
  'reflection %s serves the labels and rules of the contract',
  async (version) => {
    const definition = definitions[version === 'v1' ? 0 : 1] as ServiceDefinition;
    const [services, found, missing] = await reflect(definition, [
      { listServices: '*' },
      { fileContainingSymbol: 'charge.v1.ChargeService' },
      { fileContainingSymbol: '__proto__' },
    ]);
    expect(services?.listServicesResponse?.service.map(({ name }) => name).sort()).toEqual([
      'charge.v1.ChargeService',
      'charge.v1.PriceService',
      'charge.v1.TenantService',
      'charge.v1.UsageService',
      'charge.v1.UserProfileService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    expect(missing?.fileDescriptorResponse?.fileDescriptorProto.flatMap((bytes) => [...bytes]) ?? []).toEqual(
      [],
    );
    const file = (found?.fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, Uint8Array.from(bytes)),
    );
    // The extensions themselves are reached through the imports of the file, as grpcurl does it.
    const names = new Set(file.map(({ name }) => name));
    const imports = file.flatMap(({ dependency }) => dependency).filter((name) => !names.has(name));
    for (const [index, response] of (
      await reflect(
        definition,
        imports.map((fileByFilename) => ({ fileByFilename })),
      )
    ).entries()) {
      for (const bytes of response.fileDescriptorResponse?.fileDescriptorProto ?? []) {
        const proto = fromBinary(FileDescriptorProtoSchema, Uint8Array.from(bytes));
        if (!names.has(proto.name)) file.push(proto);
        names.add(proto.name);
      }
      expect(names).toContain(imports[index]);
    }
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(file) }));
    const label = registry.getExtension('charge.v1.label');
    const provider = registry.getEnum('charge.v1.Provider') as DescEnum;
    expect(label).toBeDefined();
    expect(getOption(provider.value[1] as never, label as never)).toBe('OpenAI');
    const rules = registry.getExtension('buf.validate.field');
    const userProfile = registry.getMessage('charge.v1.Charge')?.field['userProfile'];
    expect(getOption(userProfile as never, rules as never)).toMatchObject({
      type: { case: 'string', value: { maxLen: 255n } },
    });
  },
);

test('a client that asks without end and reads nothing is not read from', async () => {
  const { address, server } = fixture;
  const session = connectRaw(address, { settings: { initialWindowSize: 0 } });
  const definition = definitions[0]?.['ServerReflectionInfo'] as ServiceDefinition[string];
  const stream = open(session, '', { ':path': definition.path });
  const question = definition.requestSerialize({ fileContainingSymbol: 'charge.v1.ChargeService' });
  for (let i = 0; i < 10_000; i++) stream.write(frame(question));
  await waitFor('the stream', () => server.load.infrastructureStreams === 1);
  // The rest waits with the caller.
  const ping = () => new Promise((resolve) => session.ping(resolve));
  expect(await settled(() => stream.writableLength, ping)).toBeGreaterThan(5_000 * question.length);
  session.destroy();
  await waitFor('its end', () => server.load.infrastructureStreams === 0);
});

/** Every file after those that it imports, as a registry wants them. */
function inOrder<F extends { readonly name: string; readonly dependency: readonly string[] }>(
  files: F[],
): F[] {
  const sorted: F[] = [];
  const add = (file: F | undefined): void => {
    if (file === undefined || sorted.includes(file)) return;
    for (const name of file.dependency) add(files.find((other) => other.name === name));
    sorted.push(file);
  };
  for (const file of files) add(file);
  return sorted;
}
