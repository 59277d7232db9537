/** What a person reads once the service is ready. */

import { dirname } from 'node:path';

import { type Address, callableAddress, type Config, formatAddress, isLoopback } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import type { ServedTls } from '../tls/certificate.ts';
import type { ExternalServices } from './external-services.ts';

/** The addresses of a service that is ready. */
export interface ReadyService {
  readonly grpc: Address;
  readonly http: Address;
  /** Undefined: plain text. */
  readonly tls: ServedTls | undefined;
  /** Whether calls need a credential. */
  readonly config: Pick<Config, 'credentials'>;
  readonly external: ExternalServices;
  /** Host and database, without user and password. */
  readonly postgresql: string;
  /** One or several, separated by commas. Undefined: there is none yet. */
  readonly natsUrl: string | undefined;
  /** When the start began, on the clock of `performance.now()`. */
  readonly startedAtMs: number;
}

/**
 * Logs the line that says that the service is ready, what to type next, and a warning if no credential is needed. URLs
 * are shown without user and password.
 */
export function writeReadyMessage(logger: Logger, at: ReadyService): void {
  const grpc = formatAddress(at.grpc);
  const { postgresql } = at;
  const nats = at.natsUrl?.split(',').map(withoutPassword).join(',') ?? 'none';
  logger.info(
    {
      grpc,
      http: formatAddress(at.http),
      postgresql,
      nats,
      startedInMs: Math.round(performance.now() - at.startedAtMs),
    },
    `ready: gRPC ${grpc}, PostgreSQL ${postgresql}, NATS ${nats}`,
  );
  const commands = [...keyCommands(at), ...grpcCommands(at), ...embeddedCommands(at)];
  if (process.stderr.isTTY) {
    // Not a log line: with what a log puts around it, it could not be copied.
    process.stderr.write(`\nWhat to type next:\n${commands.map((command) => `  ${command}\n`).join('')}\n`);
  } else {
    logger.info({ commands }, 'what to type next');
  }
  if (at.config.credentials.required) return;
  logger.warn(
    {},
    `open: every caller that reaches ${grpc} may do everything: record, read, change prices, correct and ` +
      'administer. AUTHENTICATION=required makes the service ask for credentials (docs/authentication.md)',
  );
}

/** They make the first key of the operator, which the other commands use. */
function keyCommands({ config, external: { serviceFile } }: ReadyService): string[] {
  if (!config.credentials.required) return [];
  const bootstrap = 'npx charge key bootstrap --file operator.key';
  return [
    // Not --database-url: other users of the machine can read the arguments of a command.
    serviceFile === undefined
      ? `DATABASE_URL="$DATABASE_URL" ${bootstrap}  # only once`
      : `${bootstrap} --data-dir ${quoted(dirname(serviceFile))}  # only once`,
    'export CHARGE_API_KEY=$(cat operator.key)',
  ];
}

function grpcCommands(at: ReadyService): string[] {
  const grpc = formatAddress(callableAddress(at.grpc));
  const key = at.config.credentials.required ? ' -H "authorization: Bearer $CHARGE_API_KEY"' : '';
  const transport = `${at.tls === undefined ? '-plaintext' : tlsFlags(at.tls, GRPCURL_FLAGS)}${key}`;
  return [
    `grpcurl ${transport} -d '{"request_id":"hello-1","charge":{"user_profile":"alice","provider":"PROVIDER_OPENAI",` +
      `"charge_type":"CHARGE_TYPE_COMPLETION","model":"gpt-4o","prompt_tokens":374,"completion_tokens":44}}' ` +
      `${grpc} charge.v1.ChargeService/CreateCharge`,
    `grpcurl ${transport} -d '{"page_size":10}' ${grpc} charge.v1.ChargeService/ListCharges`,
  ];
}

const GRPCURL_FLAGS = { ca: '-cacert', host: '-authority', cert: '-cert', key: '-key' };
const CHARGE_FLAGS = {
  ca: '--tls-ca-file',
  host: '--tls-server-name',
  cert: '--tls-cert-file',
  key: '--tls-key-file',
};

/** With them a client trusts this very certificate, whoever has issued it. */
function tlsFlags({ files, host }: ServedTls, flags: typeof CHARGE_FLAGS): string {
  const asksClients = files.clientCaFile !== undefined && files.clientCertificate === 'required';
  return [
    `${flags.ca} ${quoted(files.certFile)}`,
    ...(host === undefined ? [] : [`${flags.host} ${host}`]),
    ...(asksClients ? [`${flags.cert} CLIENT.crt ${flags.key} CLIENT.key`] : []),
  ].join(' ');
}

/** Only for the embedded servers: users of others know how to connect, and their credentials are not shown. */
function embeddedCommands({ grpc, tls, config, external, natsUrl }: ReadyService): string[] {
  const { serviceFile, natsIsEmbedded } = external;
  const callable = callableAddress(grpc);
  const plainText = config.credentials.required && !isLoopback(callable) ? ' --allow-insecure' : '';
  const address = `${formatAddress(callable)}${tls === undefined ? plainText : ` ${tlsFlags(tls, CHARGE_FLAGS)}`}`;
  return [
    ...(serviceFile === undefined
      ? []
      : [
          // An embedded database begins without prices, and charges without a cost.
          `npx charge prices import examples/prices.csv --address ${address}  # or LiteLLM's prices: docs/prices.md`,
          `PGSERVICEFILE=${quoted(serviceFile)} psql service=charge -c 'TABLE charge LIMIT 10'`,
        ]),
    ...(natsIsEmbedded && natsUrl !== undefined ? [`nats --server ${natsUrl} stream info CHARGES`] : []),
  ];
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function withoutPassword(text: string): string {
  const { host, pathname } = new URL(text.trim());
  return `${host}${pathname === '/' ? '' : pathname}`;
}
