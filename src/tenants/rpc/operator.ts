/** Who may administer which tenant. */

import { ServiceError } from '../../errors/failure.ts';
import { notTheOperator } from '../errors.ts';
import { DEFAULT_TENANT } from '../tenant.ts';

/** A call with a credential of this tenant. */
interface TenantCall {
  readonly tenant: string;
}

/** Throws `permission_denied` unless the caller is the operator. */
export function requireOperator({ tenant }: TenantCall): void {
  if (tenant !== DEFAULT_TENANT) throw new ServiceError(notTheOperator(tenant));
}

/** The tenant that a call administers: the one that it names, or its own. Only the operator may name another one. */
export function administeredTenant(call: TenantCall, named: string): string {
  if (named !== '' && named !== call.tenant) requireOperator(call);
  return named || call.tenant;
}
