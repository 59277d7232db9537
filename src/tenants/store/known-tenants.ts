/** Keeps the tenants in memory that a process works for. */

import type { Database } from '../../database/orm.ts';
import type { ReadConnections } from '../../database/read-connections.ts';
import type { TenantDirectory } from '../ports.ts';
import { DEFAULT_SETTINGS, DEFAULT_TENANT, type Tenant, type TenantSettings } from '../tenant.ts';
import { readTenants } from './read-tenants.ts';

/** Bounds of what is kept. */
export interface KnownTenantsOptions {
  /** Pause until all of them are read again, with one statement. Both together take less than 5 seconds. */
  readonly refreshMs: number;
  /** A tenant that was not asked for during so many refreshes is forgotten. */
  readonly idleRefreshesMax: number;
  /** Tenants that are kept at most. Then the one that was known for the longest time is forgotten, but not `default`. */
  readonly tenantsMax: number;
}

const DEFAULT_OPTIONS: KnownTenantsOptions = { refreshMs: 3_000, idleRefreshesMax: 100, tenantsMax: 20_000 };

interface Known {
  tenant: Tenant;
  idleRefreshes: number;
}

/** One for each process, on a database that it does not own and whose sessions see every tenant. */
export class KnownTenants implements TenantDirectory {
  readonly #database: Database;
  readonly #reads: ReadConnections;
  readonly #options: KnownTenantsOptions;
  readonly #known = new Map<string, Known>();
  readonly #loading = new Map<string, Promise<Tenant | undefined>>();
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #closed = false;

  /** `reads`: on the same database, for their failures. Soon knows `default`, and others once they are asked for. */
  constructor(database: Database, reads: ReadConnections, options: Partial<KnownTenantsOptions> = {}) {
    this.#database = database;
    this.#reads = reads;
    this.#options = { ...DEFAULT_OPTIONS, ...options };
    void this.refresh().finally(() => this.#schedule());
  }

  find(tenant: string): Tenant | Promise<Tenant | undefined> {
    return this.#get(tenant) ?? this.#loading.get(tenant) ?? this.#load(tenant);
  }

  settingsOf(tenant: string): TenantSettings {
    return this.#get(tenant) ?? DEFAULT_SETTINGS;
  }

  unknownUserProfilesOf(tenant: string): number | Promise<number> {
    const found = this.find(tenant);
    const settingOf = (known: TenantSettings = DEFAULT_SETTINGS): number => known.unknownUserProfiles;
    return found instanceof Promise ? found.then(settingOf) : settingOf(found);
  }

  /** Reads all of them again. Resolves after that, also if PostgreSQL is away. */
  async refresh(): Promise<void> {
    // One that is in progress may have read before what the caller has just changed.
    await this.#refreshing;
    await (this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined)));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #get(tenant: string): Tenant | undefined {
    const known = this.#known.get(tenant);
    if (known === undefined) return undefined;
    known.idleRefreshes = 0;
    return known.tenant;
  }

  /** Callers share a load. */
  #load(tenant: string): Promise<Tenant | undefined> {
    const loading = this.#reads
      .use(tenant, (em) => readTenants(em, [tenant]))
      .then(([found]) => {
        if (found !== undefined) this.#keep(found);
        return found;
      })
      .finally(() => this.#loading.delete(tenant));
    this.#loading.set(tenant, loading);
    return loading;
  }

  #keep(tenant: Tenant): void {
    this.#known.set(tenant.tenant, { tenant, idleRefreshes: 0 });
    if (this.#known.size > this.#options.tenantsMax) {
      for (const oldest of this.#known.keys()) {
        if (oldest === DEFAULT_TENANT) continue;
        this.#known.delete(oldest);
        break;
      }
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.refresh().finally(() => this.#schedule());
    }, this.#options.refreshMs);
    this.#timer.unref();
  }

  async #refresh(): Promise<void> {
    for (const [tenant, known] of this.#known) {
      if (tenant === DEFAULT_TENANT) continue;
      if (known.idleRefreshes++ >= this.#options.idleRefreshesMax) this.#known.delete(tenant);
    }
    // Callers without a credential are of the tenant `default`, and nobody looks for it.
    const wanted = new Set(this.#known.keys()).add(DEFAULT_TENANT);
    try {
      for (const tenant of await readTenants(this.#database.em.fork(), [...wanted])) {
        const known = this.#known.get(tenant.tenant);
        if (known !== undefined) known.tenant = tenant;
        else if (tenant.tenant === DEFAULT_TENANT) this.#keep(tenant);
      }
    } catch {
      // PostgreSQL is away: nobody can have changed them meanwhile.
    }
  }
}
