/** The gRPC server: what is added to it, its options, and how it ends. */

import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js';

import { readContractImage } from '../contract/image.ts';
import { Admission } from './admission.ts';
import type { Border } from './call.ts';
import { CallQueue } from './call-queue.ts';
import type { RpcDependencies, RpcLimits, RpcLoad } from './dependencies.ts';
import { Health } from './health.ts';
import { capTimeouts, cutConnections } from './http2-servers.ts';
import { LongStreams } from './long-streams.ts';
import { addReflection } from './reflection.ts';
import { chargeServiceDefinition, chargeServiceImplementation } from './service.ts';
import { ContractRules } from './validate/contract-rules.ts';

/** A gRPC server. It starts NOT_SERVING. */
export interface RpcServer {
  /** Listens on `host:port` (0: any free port) and resolves to the port; rejects where it cannot. */
  bind(address: string): Promise<number>;
  /** What health says about `''` (the whole server) or a service from now on. Both ways, at any time. */
  setServing(service: string, serving: boolean): void;
  /** What is in hand, read anew at each access. */
  readonly load: RpcLoad;
  /**
   * Ends for good: NOT_SERVING, nothing new (UNAVAILABLE, SHUTTING_DOWN), long streams ended after
   * what they took in is answered, calls in flight finished; after `timeoutMs` whatever is left is
   * cut. Resolves once every connection is closed.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** Builds a server on the domain's ports. It owns nothing that it was given. */
export function createRpcServer(dependencies: RpcDependencies): RpcServer {
  const { limits, logger, metrics } = dependencies;
  const border: Border = {
    limits,
    logger,
    metrics,
    admission: new Admission(limits.inFlightCallsMax, limits.retryAfterMs),
    queue: new CallQueue(limits.deadlineMaxMs),
    streams: new LongStreams(limits.streamsMax, limits.retryAfterMs),
  };
  const image = readContractImage();
  const health = new Health();
  const server = new Server(serverOptions(limits));
  server.addService(
    chargeServiceDefinition(),
    chargeServiceImplementation(dependencies, border, new ContractRules(image)),
  );
  health.addTo(server, border);
  addReflection(server, image, border);
  return {
    bind: (address) => bind(server, address),
    setServing: (service, serving) => {
      // A readiness probe must not bring a server back that is going away.
      if (border.admission.closed === undefined) health.setServing(service, serving);
    },
    load: loadOf(border),
    drain: (timeoutMs) => drain(server, health, border, timeoutMs),
  };
}

function loadOf({ admission, streams }: Border): RpcLoad {
  return {
    get callsInFlight() {
      return admission.callsInFlight;
    },
    get recordStreams() {
      return streams.count('record');
    },
    get watchStreams() {
      return streams.count('watch');
    },
    get infrastructureStreams() {
      return streams.count('infrastructure');
    },
  };
}

/** Room for the framing, so that the limit of our own is met first and answered with its reason. */
const RECEIVE_SLACK_BYTES = 64 * 1024;

function serverOptions(limits: RpcLimits): ServerOptions {
  return {
    'grpc.max_receive_message_length': limits.batchMessageBytesMax + RECEIVE_SLACK_BYTES,
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

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) {
        reject(error);
        return;
      }
      capTimeouts(server);
      resolve(port);
    });
  });
}

async function drain(
  server: Server,
  health: Health,
  border: Border,
  timeoutMs: number,
): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  // Balancers look at health first; then nothing new comes in while the old is finished.
  health.stopServing();
  const callsDone = border.admission.close();
  const streamsDone = border.streams.drain(border.admission.shuttingDown);
  await within(giveUpAtMs, Promise.all([callsDone, streamsDone]));
  // Closes the listener and every connection, which by now only has answers to flush.
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await within(giveUpAtMs, closed);
  cutConnections(server);
  server.forceShutdown();
  border.queue.close();
}

async function within(giveUpAtMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, giveUpAtMs - performance.now()));
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
