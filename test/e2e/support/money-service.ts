/** A started service on a database and a nats-server of its own, for a suite about money. */

import { createMigratedDatabase } from '../../support/database.ts';
import { startTestNats } from '../../support/nats.ts';
import { makeDataDir, Service } from '../../support/service.ts';

/** What a suite may use of it. */
export interface MoneyService {
  /** Of the gRPC server. */
  readonly address: string;
  readonly databaseUrl: string;
  /** A directory for files of the suite. */
  readonly directory: string;
  /** Ends the service and removes all that it made. */
  close(): Promise<void>;
}

/** Starts the service with these variables. */
export async function startMoneyService(env: Record<string, string> = {}): Promise<MoneyService> {
  const [database, nats, directory] = await Promise.all([
    createMigratedDatabase(),
    startTestNats(),
    makeDataDir(),
  ]);
  const service = new Service({
    DATA_DIR: directory.path,
    DATABASE_URL: database.url,
    NATS_URL: nats.url,
    ...env,
  });
  const close = async (): Promise<void> => {
    await service.cleanUp();
    await Promise.all([database.drop(), nats.stop(), directory.remove()]);
  };
  try {
    const { grpc } = await service.ready();
    return { address: grpc, databaseUrl: database.url, directory: directory.path, close };
  } catch (error) {
    await close();
    throw error;
  }
}
