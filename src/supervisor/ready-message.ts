/** What a person reads once the service is ready. */

import { type Address, formatAddress } from '../config.ts';
import type { Logger } from '../observability/logger.ts';

/** The addresses of a service that is ready. */
export interface ReadyService {
  readonly grpc: Address;
  readonly http: Address;
  /** Host and database, without user and password. */
  readonly postgresql: string;
  /** One or several, separated by commas; shown without credentials. Undefined: there is none yet. */
  readonly natsUrl: string | undefined;
  /** When the start began, on the clock of `performance.now()`. */
  readonly startedAtMs: number;
}

/** Logs the line that says that the service is ready, and what to type next. */
export function writeReadyMessage(logger: Logger, at: ReadyService): void {
  const grpc = formatAddress(at.grpc);
  const example =
    `grpcurl -plaintext -d '{"request_id":"hello-1","charge":{"user_profile":"alice","provider":"PROVIDER_OPENAI",` +
    `"charge_type":"CHARGE_TYPE_COMPLETION","model":"gpt-4o","prompt_tokens":374,"completion_tokens":44}}' ` +
    `${grpc} charge.v1.ChargeService/CreateCharge`;
  const list = `grpcurl -plaintext -d '{"page_size":10}' ${grpc} charge.v1.ChargeService/ListCharges`;
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
  if (process.stderr.isTTY) {
    // Not a log line: with what a log puts around it, it could not be copied.
    process.stderr.write(`\nRecord a charge, then look at it:\n  ${example}\n  ${list}\n\n`);
  } else {
    logger.info({ commands: [example, list] }, 'record a charge, then look at it');
  }
}

function withoutPassword(text: string): string {
  const { host, pathname } = new URL(text.trim());
  return `${host}${pathname === '/' ? '' : pathname}`;
}
