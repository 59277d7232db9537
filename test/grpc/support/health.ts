/** A client of `grpc.health.v1.Health`. */

import { type ChannelCredentials, Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

import { errorOf, type ErrorSummary } from './server.ts';

type Definition = (typeof service)[string];

const definitionOf = (method: 'Check' | 'Watch' | 'List'): Definition => service[method] as Definition;

/** Checks one service after another. */
export function healthClient(
  address: string,
  channelCredentials: ChannelCredentials = credentials.createInsecure(),
): { check(name: string): Promise<string>; list(): Promise<Record<string, string>>; close(): void } {
  const client = new Client(address, channelCredentials, { 'grpc.use_local_subchannel_pool': 1 });
  const unary = <Res>(method: 'Check' | 'List', request: object): Promise<Res> => {
    const { path, requestSerialize, responseDeserialize } = definitionOf(method);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
        if (error === null) resolve(response as Res);
        else reject(error);
      });
    });
  };
  return {
    check: async (name) => (await unary<{ status: string }>('Check', { service: name })).status,
    list: async () => {
      const { statuses } = await unary<{ statuses: Record<string, { status: string }> }>('List', {});
      return Object.fromEntries(Object.entries(statuses).map(([name, { status }]) => [name, status]));
    },
    close: () => client.close(),
  };
}

/** Watches a service; ends with the server's error, or with `cancel()`. */
export function watchHealth(
  address: string,
  name: string,
): { readonly statuses: string[]; readonly ended: Promise<ErrorSummary>; cancel(): void } {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const { path, requestSerialize, responseDeserialize } = definitionOf('Watch');
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {
    service: name,
  });
  const statuses: string[] = [];
  stream.on('data', ({ status }: { status: string }) => statuses.push(status));
  const ended = new Promise<ErrorSummary>((resolve) => {
    stream.on('error', (error: ServiceError) => {
      client.close();
      resolve(errorOf(error));
    });
  });
  return { statuses, ended, cancel: () => stream.cancel() };
}
