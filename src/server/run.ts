/** One server process under the supervisor: serves, reports, drains when told, never outlives it. */

import { type Config, formatAddress } from '../config.ts';
import { describeError } from '../errors/describe-error.ts';
import { createLogger } from '../observability/logger.ts';
import { createServerMetrics } from '../observability/server-metrics.ts';
import { isMessage, type ServerMessage, type SupervisorMessage } from '../supervisor/messages.ts';
import { CommitReporter } from './commit-reporter.ts';
import { openServer } from './server.ts';

/** Runs until the supervisor says `drain`, or is gone: then the cluster module ends the process. */
export async function runServer(config: Config): Promise<void> {
  const logger = createLogger(config.logLevel, 'charge-server');
  const databaseUrl = process.env['CHARGE_SERVER_DATABASE_URL'];
  if (databaseUrl === undefined) throw new Error('started without a supervisor');

  // The terminal's Ctrl-C reaches every process of the group; the supervisor decides what follows.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

  let natsUrl = config.natsUrl;
  const commits = new CommitReporter(config.eventFormat, send);
  const server = await openServer(config, {
    databaseUrl,
    logger,
    metrics: createServerMetrics(),
    serving: (fault) => send({ type: 'serving', fault }),
    committed: (events) => commits.committed(events),
    natsUrl: () => natsUrl,
  });
  const certificateArrived = Promise.withResolvers<void>();
  process.on('message', (message: unknown) => {
    if (!isMessage<SupervisorMessage>(message)) return;
    switch (message.type) {
      case 'nats':
        natsUrl = message.url;
        return;
      case 'certificate':
        server.setCertificate(message.certificate);
        return certificateArrived.resolve();
      case 'relay':
        return server.relayPublishing(message.publishing);
      case 'drain':
        void server.drain(config.drainTimeoutMs).then(
          () => process.exit(0),
          (error: unknown) => {
            logger.error({ error: describeError(error) }, 'the drain failed');
            process.exit(1);
          },
        );
    }
  });
  if (config.tls !== undefined) {
    send({ type: 'certificate_needed' });
    await certificateArrived.promise;
  }
  try {
    await server.listen({ shared: config.processes > 1 });
    logger.info({}, 'a server process listens');
    send({ type: 'listening' });
  } catch (error) {
    const reason = `cannot listen on ${formatAddress(config.listen)} (LISTEN): ${(error as Error).message}`;
    logger.fatal({}, reason);
    process.send?.({ type: 'failed', reason } satisfies ServerMessage, () => process.exit(1));
  }
}

function send(message: ServerMessage, sent: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, sent);
}
