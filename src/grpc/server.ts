/** The gRPC server: its services, its options, and how it ends. */

import {
  logVerbosity,
  Server,
  type ServerOptions,
  type ServiceDefinition,
  setLogVerbosity,
} from '@grpc/grpc-js';

import { describeError } from '../errors/describe-error.ts';
import { onceAMinute } from '../observability/once-a-minute.ts';
import { Admission } from './admission.ts';
import type { RpcContext, RpcLoad, RpcLogger, RpcMetrics } from './context.ts';
import { Health } from './health.ts';
import { type GuardedMethod, Http2Guard } from './http2-guard.ts';
import { injectorWith } from './http2-server.ts';
import { type ListenAddress, listen, type Listener } from './listener.ts';
import { type RpcLimits, SMALL_REQUEST_BYTES_MAX } from './limits.ts';
import { LongStreams } from './long-streams.ts';
import { readMethodAccess } from './method-access.ts';
import type { Authenticate } from './principal.ts';
import { reflectionServices } from './reflection.ts';
import { RunningCalls } from './running-calls.ts';
import { addService, methodName, type RpcMethod, type RpcService } from './service.ts';
import type { ClientCertificateRule, ServerCertificate } from '../tls/certificate.ts';
import type { LimitsOf } from './tenant-limits.ts';

/** What a server is made of; it owns none of it. */
export interface RpcServerOptions {
  readonly services: readonly RpcService[];
  /** The contract's descriptors: see `readContractImage`. */
  readonly image: Uint8Array;
  readonly logger: RpcLogger;
  readonly metrics: RpcMetrics;
  readonly limits: RpcLimits;
  readonly authenticate: Authenticate;
  /** Undefined: plain text. */
  readonly tls: { readonly clientCertificate: ClientCertificateRule } | undefined;
  readonly limitsOf: LimitsOf;
}

/** A gRPC server. It starts NOT_SERVING. */
export interface RpcServer {
  /** Shows this certificate to new connections. With TLS, `bind()` needs one. */
  setCertificate(certificate: ServerCertificate): void;
  /** Listens (port 0: any free one) and resolves to the port; rejects if it cannot. See `listen()`. */
  bind(address: ListenAddress, options?: { readonly shared: boolean }): Promise<number>;
  /** What health says about a service from now on; `''` is the whole server. Both ways, at any time. */
  setServing(service: string, serving: boolean): void;
  /** What the server is working on, read anew at each access. */
  readonly load: RpcLoad;
  /**
   * Ends for good: NOT_SERVING, every new call is refused (UNAVAILABLE, SHUTTING_DOWN), streams end after
   * what they accepted is answered, calls in flight finish. After `timeoutMs` whatever is left gets the
   * same status, and its connection is closed a quarter of a second later. Resolves once every
   * connection is closed; never rejects.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** Builds a server with health and reflection besides its services. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { services, image, limits, logger, metrics, authenticate, tls, limitsOf } = options;
  // grpc-js logs a line for every malformed header that a client sends.
  setLogVerbosity(logVerbosity.NONE);
  const context: RpcContext = {
    limits,
    logger,
    metrics,
    admission: new Admission(limits, limitsOf),
    running: new RunningCalls(limits.deadlineMaxMs),
    streams: new LongStreams(limits, limitsOf),
    accessOf: readMethodAccess(image),
    authenticate,
  };
  const server = new Server(serverOptions(limits));
  const health = new Health(services.map(({ name }) => name));
  const methods = new Map(guardedMethods(health.definition));
  for (const service of [...services, ...reflectionServices(image)]) {
    addService(server, service, context);
    for (const [path, method] of guardedMethods(service.definition, service.methods))
      methods.set(path, method);
  }
  health.addTo(server, context);
  const credentialChecks = setInterval(() => context.streams.checkCredentials(), CREDENTIAL_CHECK_MS);
  credentialChecks.unref();
  const guard = new Http2Guard(methods, context);
  const injector = injectorWith(server, (stream, headers) => guard.admits(stream, headers));
  const listeners: Listener[] = [];
  const sayRefused = refusalLog(logger);
  let certificate: ServerCertificate | undefined;
  return {
    setCertificate: (next) => {
      certificate = next;
      for (const listener of listeners) listener.setCertificate(next);
    },
    bind: async (address, { shared } = { shared: false }) => {
      const used = certificate;
      const listener = await listen(address, {
        shared,
        limits,
        tls: tls && { ...tls, certificate: required(used) },
        serve: (socket) => injector.injectConnection(socket),
        onRefused: sayRefused,
      });
      listeners.push(listener);
      if (certificate !== undefined && certificate !== used) listener.setCertificate(certificate);
      return listener.port;
    },
    setServing: (service, serving) => {
      // A probe must not call a server ready that is about to stop.
      if (context.admission.drainFailure === undefined) health.setServing(service, serving);
    },
    load: loadOf(context, listeners),
    drain: async (timeoutMs) => {
      clearInterval(credentialChecks);
      await drain({ server, listeners, health, context }, timeoutMs);
      guard.stop();
    },
  };
}

/** How often the credentials of open streams are checked again. */
const CREDENTIAL_CHECK_MS = 1_000;

/** Clients can cause it as often as they like, if file descriptors run out. */
function refusalLog(logger: RpcLogger): (error: Error) => void {
  const mayLog = onceAMinute();
  return (error) => {
    if (mayLog()) logger.error({ error: describeError(error) }, 'connections cannot be accepted');
  };
}

function required(certificate: ServerCertificate | undefined): ServerCertificate {
  if (certificate === undefined)
    throw new TypeError('with TLS, a server needs a certificate before it listens');
  return certificate;
}

function guardedMethods(
  definition: ServiceDefinition,
  methods?: Readonly<Record<string, RpcMethod>>,
): [string, GuardedMethod][] {
  return Object.entries(definition).map(([name, method]) => [
    method.path,
    {
      name: methodName(method),
      requestBytesMax: methods?.[name]?.requestBytesMax ?? SMALL_REQUEST_BYTES_MAX,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
    },
  ]);
}

function loadOf({ admission, streams }: RpcContext, listeners: readonly Listener[]): RpcLoad {
  return {
    get callsInFlight() {
      return admission.callsInFlight;
    },
    get requestBytes() {
      return admission.requestBytes;
    },
    get responseBytes() {
      return admission.responses.bytes;
    },
    get connections() {
      return listeners.reduce((sum, { connections }) => sum + connections, 0);
    },
    get recordStreams() {
      return streams.count('record');
    },
    get watchStreams() {
      return streams.count('watch');
    },
    get exportStreams() {
      return streams.count('export');
    },
    get infrastructureStreams() {
      return streams.count('infrastructure');
    },
  };
}

function serverOptions(limits: RpcLimits): ServerOptions {
  return {
    'grpc.max_receive_message_length': limits.messageBytesMax,
    'grpc.max_concurrent_streams': limits.connectionStreamsMax,
    'grpc.max_connection_age_ms': limits.connectionAgeMaxMs,
    'grpc.max_connection_age_grace_ms': limits.connectionAgeGraceMs,
    'grpc.max_connection_idle_ms': limits.connectionIdleMaxMs,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    // Nobody reads channelz here, and it costs four closures and as many counters per call.
    'grpc.enable_channelz': 0,
  };
}

interface Drainable {
  readonly server: Server;
  readonly listeners: readonly Listener[];
  readonly health: Health;
  readonly context: RpcContext;
}

async function drain({ server, listeners, health, context }: Drainable, timeoutMs: number): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  // Load balancers look at health first; then nothing new is accepted while the rest is finished.
  health.stopServing();
  const { admission, streams, running } = context;
  const done = Promise.all([admission.close(), streams.drain(admission.shuttingDown)]);
  await within(giveUpAtMs, done);
  // What is left is answered before it is cut: a caller that knows why repeats its request.
  running.close(admission.shuttingDown);
  streams.cut(admission.shuttingDown);
  for (const listener of listeners) listener.close();
  const allClosed = Promise.all(listeners.map((listener) => listener.allClosed()));
  // Closes every connection, which by now only has answers to send.
  server.tryShutdown(() => {});
  await within(Math.max(giveUpAtMs, performance.now() + FLUSH_MS), allClosed);
  for (const listener of listeners) listener.destroyAll();
  server.forceShutdown();
}

/** Time for the last answers to reach their callers once the time of the drain is over. */
const FLUSH_MS = 250;

async function within(giveUpAtMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, giveUpAtMs - performance.now()));
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
