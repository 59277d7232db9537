/** The gRPC server: what is added to it, its options, and how it ends. */

import type { Socket } from 'node:net';

import { Server, type ServerOptions } from '@grpc/grpc-js';

import { readContractImage } from './contract-image.ts';
import { describeError } from '../errors/describe-error.ts';
import { Admission } from './admission.ts';
import type { Border } from './call.ts';
import { RunningCalls } from './running-calls.ts';
import type { RpcDependencies, RpcLimits, RpcLoad } from './dependencies.ts';
import { Health } from './health.ts';
import { HeldBytes } from './held-bytes.ts';
import { serveConnection, type ServedConnection } from './http2/client-connection.ts';
import { unaryLane } from './http2/unary-lane.ts';
import { injectorOf } from './http2-servers.ts';
import { type ListenAddress, listen, type Listener } from './listener.ts';
import { LongStreams } from './long-streams.ts';
import { RecordWindow } from '../charges/rpc/record-window.ts';
import { addReflection } from './reflection.ts';
import { chargeService } from '../charges/rpc/service.ts';
import { ContractRules } from './contract-rules.ts';

/** A gRPC server. It starts NOT_SERVING. */
export interface RpcServer {
  /** Listens (port 0: any free one) and resolves to the port; rejects where it cannot. See `listen()`. */
  bind(address: ListenAddress, options?: { readonly shared: boolean }): Promise<number>;
  /** What health says about `''` (the whole server) or a service from now on. Both ways, at any time. */
  setServing(service: string, serving: boolean): void;
  /** What is in hand, read anew at each access. */
  readonly load: RpcLoad;
  /**
   * Ends for good: NOT_SERVING, nothing new (UNAVAILABLE, SHUTTING_DOWN), long streams ended after
   * what they took in is answered, calls in flight finished. Plain unary calls whose request is still
   * arriving count as new, and are refused without the rest of it after a fifth of `timeoutMs`, 5 s at
   * most. After `timeoutMs` whatever is left gets the same status and is cut a quarter of a second later.
   * Resolves once every connection is closed; never rejects.
   */
  drain(timeoutMs: number): Promise<void>;
}

/**
 * Builds a server on the domain's ports. It owns nothing that it was given. `lane`: whether plain
 * unary calls pass grpc-js by; they are answered in the same way either way.
 */
export function createRpcServer(dependencies: RpcDependencies, { lane } = { lane: true }): RpcServer {
  const { limits, logger, metrics } = dependencies;
  const heldBytes = new HeldBytes(limits.heldBytesMax);
  const border: Border = {
    limits,
    logger,
    metrics,
    admission: new Admission(limits.inFlightCallsMax, heldBytes, limits.retryAfterMs),
    heldBytes,
    running: new RunningCalls(limits.deadlineMaxMs),
    streams: new LongStreams(limits.streamsMax, limits.retryAfterMs),
    recordWindow: new RecordWindow(limits.recordItemsMax, limits.recordStreamItemsMax),
  };
  const image = readContractImage();
  const health = new Health();
  const server = new Server(serverOptions(limits));
  const service = chargeService(dependencies, border, new ContractRules(image));
  server.addService(service.definition, service.implementation);
  health.addTo(server, border);
  addReflection(server, image, border);
  const inject = injectorOf(server);
  const connectionOptions = {
    lane: unaryLane(service.unary),
    heldBytes,
    untakenMaxMs: limits.deadlineMaxMs,
    streamsMax: limits.connectionStreamsMax,
    graceMs: limits.connectionAgeGraceMs,
    inject,
    onDefect: (error: unknown) => logger.error({ error: describeError(error) }, 'a connection was cut'),
  };
  const serveByGrpcJs = (socket: Socket): void => {
    try {
      inject(socket);
    } catch (error) {
      connectionOptions.onDefect(error);
      socket.destroy();
    }
  };
  const listeners: Listener[] = [];
  const connections = new Set<ServedConnection>();
  return {
    bind: async (address, { shared } = { shared: false }) => {
      const listener = await listen(address, {
        shared,
        serve: (socket) => {
          if (!lane) {
            serveByGrpcJs(socket);
            return;
          }
          const connection = serveConnection(socket, connectionOptions);
          connections.add(connection);
          socket.once('close', () => connections.delete(connection));
        },
        onRefused: (error) =>
          logger.error({ error: describeError(error) }, 'a connection could not be accepted'),
      });
      listeners.push(listener);
      return listener.port;
    },
    setServing: (service, serving) => {
      // A readiness probe must not bring a server back that is going away.
      if (border.admission.refusal === undefined) health.setServing(service, serving);
    },
    load: loadOf(border),
    drain: (timeoutMs) => drain({ server, listeners, connections, health, border }, timeoutMs),
  };
}

function loadOf({ admission, heldBytes, streams, recordWindow }: Border): RpcLoad {
  return {
    get callsInFlight() {
      return admission.callsInFlight;
    },
    get heldBytes() {
      return heldBytes.bytes;
    },
    get recordStreams() {
      return streams.count('record');
    },
    get recordItems() {
      return recordWindow.items;
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

interface Drainable {
  readonly server: Server;
  readonly listeners: readonly Listener[];
  /** Those with a lane. */
  readonly connections: ReadonlySet<ServedConnection>;
  readonly health: Health;
  readonly border: Border;
}

async function drain(drainable: Drainable, timeoutMs: number): Promise<void> {
  const { server, listeners, connections, health, border } = drainable;
  const giveUpAtMs = performance.now() + timeoutMs;
  // Balancers look at health first; then nothing new comes in while the old is finished.
  health.stopServing();
  const { admission, streams, running } = border;
  const callsDone = admission.close();
  const hurry = setTimeout(
    () => {
      admission.hurry();
      for (const connection of connections) connection.hurry();
    },
    Math.min(timeoutMs / ARRIVAL_PART, ARRIVAL_MAX_MS),
  );
  const streamsDone = streams.drain(admission.shuttingDown);
  await within(giveUpAtMs, Promise.all([callsDone, streamsDone]));
  // What is left is answered before it is cut: a caller that knows why repeats its request.
  running.close(admission.shuttingDown);
  streams.cut(admission.shuttingDown);
  for (const listener of listeners) listener.close();
  const allClosed = Promise.all(listeners.map((listener) => listener.allClosed()));
  // Closes every connection, which by now only has answers to flush.
  server.tryShutdown(() => {});
  await within(Math.max(giveUpAtMs, performance.now() + FLUSH_MS), allClosed);
  clearTimeout(hurry);
  for (const listener of listeners) listener.destroyAll();
  server.forceShutdown();
}

/**
 * How much of a drain a request may go on arriving, and how long at most. It is refused either way; this
 * spares most callers an answer in the middle of what they send.
 */
const ARRIVAL_PART = 5;
const ARRIVAL_MAX_MS = 5_000;

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
