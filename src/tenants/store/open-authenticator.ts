/** An authenticator on the database. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Database } from '../../database/orm.ts';
import { describeError } from '../../errors/describe-error.ts';
import { databaseUnavailable, ServiceError } from '../../errors/failure.ts';
import type { Authenticate } from '../../grpc/principal.ts';
import type { BasicLogger } from '../../observability/logger.ts';
import { onceAMinute } from '../../observability/once-a-minute.ts';
import { type KnownKey, toKnownKey } from '../credentials/api-keys.ts';
import { Authenticator, type RefusalCause } from '../credentials/authenticator.ts';
import { FreshRows } from '../credentials/fresh-rows.ts';
import type { CredentialSettings } from '../credentials/settings.ts';
import type { TenantDirectory } from '../ports.ts';
import { LAST_USE_GRAIN_MS, noteUse, readApiKeys } from './credentials.ts';

/** How often what is in use is read again; with the wait of long streams, a revocation holds within 5 seconds. */
const REFRESH_MS = 2_000;
/** Keys whose use is noted at once. */
const NOTED_MAX = 1_000;

/** What it is made of. It owns none of it. */
export interface OpenAuthenticatorOptions {
  readonly settings: CredentialSettings;
  readonly tenants: Pick<TenantDirectory, 'find'>;
  readonly logger: BasicLogger;
  /** What a caller is told if PostgreSQL does not answer. */
  readonly retryAfterMs: number;
  refused(cause: RefusalCause): void;
}

/** The sessions of `database` see every tenant: whose a key is, is known only after it was read. */
export function openAuthenticator(
  database: Database,
  options: OpenAuthenticatorOptions,
): { readonly authenticate: Authenticate; close(): void } {
  const { logger, retryAfterMs } = options;
  const logFailure = failureLog(logger);
  const keys = new FreshRows<KnownKey>(async (ids) => {
    try {
      return await readKnownKeys(database.em.fork(), ids);
    } catch (error) {
      logFailure(error, 'API keys cannot be read');
      throw new ServiceError(databaseUnavailable(retryAfterMs, 'nothing'), { cause: error });
    }
  });
  const authenticator = new Authenticator({ ...options, keys });
  const refresh = async (): Promise<void> => {
    authenticator.refresh();
    // The log has why, and what is known counts a while longer.
    await keys.refresh().catch(() => undefined);
    const used = [...authenticator.takeUsedKeys()].filter((id) => isNoteworthy(keys.peek(id)));
    for (let start = 0; start < used.length; start += NOTED_MAX) {
      await noteUse(database.em.fork(), used.slice(start, start + NOTED_MAX));
    }
  };
  const stop = repeat(REFRESH_MS, () =>
    refresh().catch((error: unknown) => logFailure(error, 'the use of keys cannot be noted')),
  );
  return { authenticate: authenticator.authenticate, close: stop };
}

async function readKnownKeys(em: EntityManager, ids: readonly string[]): Promise<Map<string, KnownKey>> {
  const rows = await readApiKeys(em, ids);
  return new Map([...rows].map(([id, row]) => [id, toKnownKey(row)]));
}

function isNoteworthy(key: KnownKey | undefined): boolean {
  return key !== undefined && Date.now() - key.lastUseMs >= LAST_USE_GRAIN_MS;
}

/** Calls `work` again and again, with a pause after each time. Returns a function that ends it. */
function repeat(pauseMs: number, work: () => Promise<void>): () => void {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => void work().finally(schedule), pauseMs);
    timer.unref();
  };
  schedule();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

function failureLog(logger: BasicLogger): (error: unknown, message: string) => void {
  const mayLog = onceAMinute();
  return (error, message) => {
    if (mayLog(message)) logger.error({ error: describeError(error) }, message);
  };
}
