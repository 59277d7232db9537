/** The audit log: what administrators did. */

import type { Principal } from '../grpc/principal.ts';

/** Who acts, and from where. The context of a call is one. */
export interface Actor {
  readonly principal: Pick<Principal, 'tenant' | 'name'>;
  /** Address and port of the client; empty: a command on the database itself. */
  readonly peer: string;
}

/** What somebody does. */
export interface Act {
  /** The tenant that it is about. */
  readonly tenant: string;
  /** The method: `charge.v1.TenantService/CreateApiKey` and so on. */
  readonly action: string;
  /** What it is done to, the id of a key for example; empty: the tenant itself. */
  readonly target?: string;
  /** What is changed, by name. Never a secret. */
  readonly details?: ReadonlyMap<string, string>;
}

/** An act that happened. */
export interface AuditEntry extends Required<Act> {
  /** UUIDv7. */
  readonly id: string;
  readonly actor: string;
  readonly actorTenant: string;
  readonly peer: string;
}

const MICROS_PER_MILLI = 1000;

/** When it happened, to the millisecond: its id has the time. */
export function timeOfAuditEntry({ id }: Pick<AuditEntry, 'id'>): bigint {
  return BigInt(parseInt(id.slice(0, 8) + id.slice(9, 13), 16) * MICROS_PER_MILLI);
}
