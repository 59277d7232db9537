/** The server processes: started, watched, replaced when one dies, drained together. */

import cluster, { type Worker } from 'node:cluster';

import { type DatabaseFault, faultText } from '../database/database-fault.ts';
import type { Logger } from '../observability/logger.ts';
import { describeError } from '../errors/describe-error.ts';
import type { ServerCertificate } from '../tls/certificate.ts';
import { isMessage, type ServerMessage, type SupervisorMessage } from './messages.ts';

/** How the processes are started, and who is told about them. */
export interface ServerPoolOptions {
  readonly processes: number;
  /** Environment of each process, on top of this one's. */
  readonly env: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** Undefined without TLS. */
  readonly certificate: ServerCertificate | undefined;
  /** One of them committed charges; `events`: see `encodeCommittedEvents`. */
  committed(events: readonly Buffer[]): void;
  /** The number of processes that can record charges changed. */
  servingChanged(serving: number): void;
  /** Ends the service that has started: a process said that starting it again would not help. */
  failed(reason: string): void;
}

/** After its drain time a process still answers what is left and closes its connections. */
const KILL_GRACE_MS = 3_000;
const RESTART_DELAY_MIN_MS = 100;
const RESTART_DELAY_MAX_MS = 5_000;
/** After a process has lived this long, the next restart has the shortest delay again. */
const STABLE_AFTER_MS = 10_000;

/** Starts server processes, replaces those that die, and drains them together. */
export class ServerPool {
  readonly #options: ServerPoolOptions;
  /** What each process said last: why it cannot record charges, or undefined if it can. */
  readonly #faults = new Map<Worker, DatabaseFault | undefined>();
  /** What the log said last. */
  #loggedProblem: string | undefined;
  readonly #started = Promise.withResolvers<void>();
  readonly #listening = new Set<Worker>();
  #restartDelayMs = RESTART_DELAY_MIN_MS;
  #draining = false;
  #isStarted = false;
  #relayPublishing = false;
  #natsUrl: string | undefined;
  #certificate: ServerCertificate | undefined;

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    this.#certificate = options.certificate;
  }

  /**
   * Starts every process. Resolves as soon as all listen and one of them can record charges; rejects if one cannot
   * listen.
   */
  start(): Promise<void> {
    // The default, JSON, would copy the bytes of the events as text.
    cluster.setupPrimary({ serialization: 'advanced' });
    for (let index = 0; index < this.#options.processes; index++) this.#fork();
    return this.#started.promise;
  }

  /** How many processes listen and can record charges. */
  get serving(): number {
    return [...this.#faults].filter(([worker, fault]) => fault === undefined && this.#listening.has(worker))
      .length;
  }

  /** `ok`, or what a process said that cannot record charges; `unknown` before any of them has said anything. */
  get postgresql(): string {
    const fault = this.#fault;
    if (fault !== undefined) return faultText(fault);
    return this.#faults.size > 0 ? 'ok' : 'unknown';
  }

  get #fault(): DatabaseFault | undefined {
    return [...this.#faults.values()].find((fault) => fault !== undefined);
  }

  /** Tells every process, now and in future, whether events reach the stream. */
  relayPublishing(publishing: boolean): void {
    this.#relayPublishing = publishing;
    this.#broadcast({ type: 'relay', publishing });
  }

  /** Tells every process, now and in future, what to show clients. */
  setCertificate(certificate: ServerCertificate): void {
    this.#certificate = certificate;
    this.#broadcast({ type: 'certificate', certificate });
  }

  /** Tells every process, now and in future, where NATS is. */
  natsStarted(url: string): void {
    this.#natsUrl = url;
    this.#broadcast({ type: 'nats', url });
  }

  /**
   * Lets every process finish within `timeoutMs`; a process that is left a little later is killed. A
   * process that is still starting is told once it listens, because before that it may not hear it.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    const workers = Object.values(cluster.workers ?? {}).filter(
      (worker) => worker !== undefined && !worker.isDead(),
    ) as Worker[];
    const exits = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (const worker of this.#listening) this.#send(worker, { type: 'drain' });
    const timer = setTimeout(() => {
      for (const worker of workers) worker.process.kill('SIGKILL');
    }, timeoutMs + KILL_GRACE_MS);
    await Promise.all(exits);
    clearTimeout(timer);
  }

  #fork(): void {
    const startedAt = performance.now();
    const worker = cluster.fork(this.#options.env);
    worker.on('message', (message: unknown) => this.#receive(worker, message));
    worker.on('error', (error) =>
      this.#options.logger.warn({ error: describeError(error) }, 'server process channel failed'),
    );
    worker.once('exit', (code, signal) => {
      this.#change(() => {
        this.#faults.delete(worker);
        this.#listening.delete(worker);
      });
      if (this.#draining) return;
      const { logger } = this.#options;
      const livedMs = performance.now() - startedAt;
      if (livedMs > STABLE_AFTER_MS) this.#restartDelayMs = RESTART_DELAY_MIN_MS;
      const restartInMs = this.#restartDelayMs;
      this.#restartDelayMs = Math.min(restartInMs * 2, RESTART_DELAY_MAX_MS);
      logger.error(
        { pid: worker.process.pid, code, signal, restartInMs },
        'a server process died; starting another',
      );
      setTimeout(() => {
        if (!this.#draining) this.#fork();
      }, restartInMs);
    });
  }

  #receive(worker: Worker, message: unknown): void {
    if (!isMessage<ServerMessage>(message)) return;
    switch (message.type) {
      case 'certificate_needed':
        if (this.#certificate !== undefined)
          this.#send(worker, { type: 'certificate', certificate: this.#certificate });
        return;
      case 'committed':
        return this.#options.committed(message.events);
      case 'serving':
        return this.#change(() => this.#faults.set(worker, message.fault));
      case 'listening':
        this.#send(worker, { type: 'relay', publishing: this.#relayPublishing });
        if (this.#natsUrl !== undefined) this.#send(worker, { type: 'nats', url: this.#natsUrl });
        if (this.#draining) this.#send(worker, { type: 'drain' });
        return this.#change(() => this.#listening.add(worker));
      case 'failed':
        this.#draining = true;
        if (this.#isStarted) return this.#options.failed(message.reason);
        return this.#started.reject(new Error(message.reason));
    }
  }

  #startIfComplete(): void {
    if (this.#listening.size < this.#options.processes || this.serving === 0) return;
    this.#isStarted = true;
    this.#started.resolve();
  }

  #change(change: () => void): void {
    const before = this.serving;
    change();
    if (this.serving !== before) this.#options.servingChanged(this.serving);
    this.#logFault();
    this.#startIfComplete();
  }

  /** One line when charges cannot be recorded any more, or for another reason, and one when they can again. */
  #logFault(): void {
    const { logger } = this.#options;
    const fault = this.#fault;
    // Nothing is known of a process that is only being started again.
    if (fault?.problem === this.#loggedProblem || (fault === undefined && this.serving === 0)) return;
    this.#loggedProblem = fault?.problem;
    if (fault === undefined) logger.info({}, 'PostgreSQL is writable again');
    else logger.error({ reason: fault.detail }, `charges cannot be recorded: PostgreSQL: ${fault.problem}`);
  }

  #broadcast(message: SupervisorMessage): void {
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker !== undefined) this.#send(worker, message);
    }
  }

  #send(worker: Worker, message: SupervisorMessage): void {
    // A process that is dying has no channel any more; its exit is handled elsewhere.
    if (worker.isConnected()) worker.send(message, () => undefined);
  }
}
