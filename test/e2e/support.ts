/** Services that are started as people start them, and what the tests ask them. */

import type {
  BatchCreateChargesResponse,
  ChargeServiceClient,
  CreateChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { query } from '../embedded/support.ts';
import { call, createRequest } from '../support/server.ts';
import { makeDataDir, Service } from '../support/service.ts';

/** Services on one DATA_DIR. */
export class Services {
  readonly #running: Service[] = [];
  readonly #dataDir: Awaited<ReturnType<typeof makeDataDir>>;

  private constructor(dataDir: Awaited<ReturnType<typeof makeDataDir>>) {
    this.#dataDir = dataDir;
  }

  static async open(): Promise<Services> {
    return new Services(await makeDataDir());
  }

  get dataDir(): string {
    return this.#dataDir.path;
  }

  start(env: Record<string, string>): Service {
    const service = new Service({ DATA_DIR: this.dataDir, ...env });
    this.#running.push(service);
    return service;
  }

  /** Ends every service and removes the directory. */
  async close(): Promise<void> {
    for (const service of this.#running.splice(0)) await service.cleanUp();
    await this.#dataDir.remove();
  }
}

export const create = (client: ChargeServiceClient, requestId: string): Promise<CreateChargeResponse> =>
  call((callback) => client.createCharge(createRequest(requestId), callback));

export const createMany = (
  client: ChargeServiceClient,
  prefix: string,
  count: number,
): Promise<BatchCreateChargesResponse> =>
  call((callback) =>
    client.batchCreateCharges(
      { requests: Array.from({ length: count }, (_, i) => createRequest(`${prefix}-${i}`)) },
      callback,
    ),
  );

/** What `/readyz` of this HTTP port says. */
export async function readyz(
  http: string,
): Promise<{ readonly status: number; readonly checks: Record<string, unknown> }> {
  const response = await fetch(`http://${http}/readyz`);
  const { checks } = (await response.json()) as { checks: Record<string, unknown> };
  return { status: response.status, checks };
}

/** As if the time had passed that the relay of a killed service still leads for: 10 s at most. */
export async function endTermOfKilledRelay(databaseUrl: string): Promise<void> {
  await query(databaseUrl, `UPDATE relay_lease SET expire_time = '-infinity'`);
}
