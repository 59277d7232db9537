/** The connection of a command to the service. */

import {
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  credentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
} from '@grpc/grpc-js';
import type { Server } from './connection.ts';

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
  { address, tls, apiKey }: Server,
): C {
  const channel =
    tls === undefined ? credentials.createInsecure() : credentials.createFromSecureContext(tls.context);
  return new Service(address, channel, {
    ...OPTIONS,
    ...(tls?.serverName !== undefined && { 'grpc.ssl_target_name_override': tls.serverName }),
    ...(apiKey !== undefined && { interceptors: [sendApiKey(apiKey)] }),
  });
}

/** The library's own credentials of calls refuse plain text, which is allowed on one machine. */
function sendApiKey(apiKey: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set('authorization', `Bearer ${apiKey}`);
        next(metadata, listener);
      },
    });
}

/** Resolves when the connection stands. Rejects with {@link ServiceUnavailable} after `timeoutMs`. */
export function waitForServer(client: Client, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + timeoutMs, (error) => {
      if (!error) return resolve();
      void lastError(client).then((reason) => {
        const target = client.getChannel().getTarget().replace(/^dns:/, '');
        const hint = /certificate/i.test(reason) ? TRUST_HINT : START_HINT;
        reject(new ServiceUnavailable(`no gRPC service answers at ${target}${reason}. ${hint}`));
      });
    });
  });
}

const START_HINT =
  'Is it running there? "npm start" starts it; --address HOST:PORT names another one, and --tls one with TLS';
const TRUST_HINT =
  '--tls-ca-file FILE trusts the certificate of the service or its authority; --tls-server-name NAME is the name in it';

/** Why there is no connection. Only a call is told, and it fails at once while there is none. */
function lastError(client: Client): Promise<string> {
  const bytes = (value: Buffer): Buffer => value;
  return new Promise((resolve) => {
    const deadline = Date.now() + 1000;
    client.makeUnaryRequest(
      NO_METHOD,
      bytes,
      bytes,
      Buffer.alloc(0),
      new Metadata(),
      { deadline },
      (error) => {
        const reason = /Last error: (?:Error: )?(.*?)\. Resolution note/s.exec(error?.details ?? '')?.[1];
        resolve(reason === undefined ? '' : `: ${reason}`);
      },
    );
  });
}

const NO_METHOD = '/charge.v1/None';
