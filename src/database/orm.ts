/** MikroORM on the store: entities, migrations, and the pool below it. */

import type { MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

import { type ConnectionOptions, connectionSettings } from './connections.ts';
import { entities } from './entities.ts';
import { migrations } from './migrations/index.ts';

/** How to open the store. */
export interface StoreOptions extends ConnectionOptions {
  /** This version's migrations by default. */
  readonly migrations?: readonly MigrationObject[];
}

/** An open store. */
export interface Database {
  readonly orm: MikroORM;
  /** MikroORM's own pool, for statements that the entity manager is too slow for. */
  readonly pool: Pool;
  /** Ends every connection of it. */
  close(): Promise<void>;
}

/** Connects lazily: it succeeds while PostgreSQL is away, and the first statement finds out. */
export async function openDatabase(options: StoreOptions): Promise<Database> {
  const orm = await MikroORM.init({
    clientUrl: options.databaseUrl,
    entities,
    extensions: [Migrator],
    migrations: {
      migrationsList: [...(options.migrations ?? migrations)],
      snapshot: false,
      // Each for itself: what is done stays done when a later one fails.
      allOrNothing: false,
      tableName: 'migration',
    },
    // Both would put row values, which are somebody's data, into the log.
    debug: false,
    logger: () => undefined,
    ensureDatabase: false,
    pool: { min: 0, max: options.poolSizeMax },
    driverOptions: connectionSettings(options),
  });
  const pool = await orm.em.getConnection().getNativeClient();
  return { orm, pool, close: () => orm.close(true) };
}
