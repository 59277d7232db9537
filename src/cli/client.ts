/** The connection of a command to the service. */

import { credentials, type ChannelCredentials, type Client, type ClientOptions } from '@grpc/grpc-js';

/** The service cannot be reached or does not answer. Exit status 3. */
export class ServiceUnavailable extends Error {
  override name = 'ServiceUnavailable';
}

const OPTIONS: ClientOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  // Finds a dead connection within 30 s.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // Commands repeat calls by their own rules. The library would keep a copy of each message for its rules.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
};

/** Makes a client of a generated class. It connects by its first call, or by {@link waitForServer}. */
export function openClient<C extends Client>(
  Service: new (address: string, credentials: ChannelCredentials, options: ClientOptions) => C,
  address: string,
): C {
  return new Service(address, credentials.createInsecure(), OPTIONS);
}

/** Resolves when the connection stands. Rejects with {@link ServiceUnavailable} after `timeoutMs`. */
export function waitForServer(client: Client, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + timeoutMs, (error) => {
      if (!error) return resolve();
      const target = client.getChannel().getTarget().replace(/^dns:/, '');
      const hint = 'Is it running there? "npm start" starts it; --address HOST:PORT names another one';
      reject(new ServiceUnavailable(`no gRPC service answers at ${target}. ${hint}`));
    });
  });
}
