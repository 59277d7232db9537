/** Environment → configuration → service → signals, and nothing else. */

import cluster from 'node:cluster';

import { type Config, ConfigError, configFromEnv } from './config.ts';
import { createLogger } from './observability/logger.ts';
import { logProcessEvents } from './observability/process-log.ts';

const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;

const NAME = cluster.isPrimary ? 'charge-service' : 'charge-server';

function readConfig(): Config {
  try {
    // A server process gets the certificate from the supervisor, and connects to NATS only to compare the stream. So it
    // starts even if the files cannot be used any more.
    return configFromEnv(process.env, { checksFiles: cluster.isPrimary });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (process.stderr.isTTY) console.error(error.message);
    else createLogger('info', NAME).fatal({ faults: error.faults }, 'the configuration is wrong');
    // At once: a server process would live on by its channel to the supervisor, which would not replace it.
    process.exit(EXIT_CONFIG);
  }
}

const config = readConfig();
logProcessEvents(createLogger(config.logLevel, NAME));
// A server process needs nothing of the supervisor and the other way round: each loads its half.
if (cluster.isPrimary) {
  const { runSupervisor } = await import('./supervisor/run.ts');
  // Everything has ended by now: what a library may still hold open must not keep the process.
  process.exit((await runSupervisor(config)) ? 0 : EXIT_FAILED);
} else {
  const { runServer } = await import('./server/run.ts');
  await runServer(config);
}
