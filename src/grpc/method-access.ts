/** What the contract says about who may call a method. */

import { createFileRegistry, type DescExtension, fromBinary, getOption, hasOption } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

import { type Failure, permissionDenied } from '../errors/failure.ts';
import { type Principal, type Scope, SCOPES } from './principal.ts';

/** Who may call a method. */
export interface MethodAccess {
  readonly requiredScope: Scope;
  /** Whether a credential that is for one user profile may call it. */
  readonly forOneUserProfile: boolean;
}

/** The access to each method of this service; undefined for health and reflection, which everybody may call. */
export type AccessOf = (name: {
  readonly service: string;
  readonly method: string;
}) => MethodAccess | undefined;

/** Reads the options `required_scope` and `for_one_user_profile` of every method in the contract's descriptors. */
export function readMethodAccess(image: Uint8Array): AccessOf {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const extension = (name: string): DescExtension => {
    const found = registry.getExtension(`charge.v1.${name}`);
    if (found === undefined) throw new TypeError(`the contract has no option ${name}`);
    return found;
  };
  const requiredScope = extension('required_scope');
  const forOneUserProfile = extension('for_one_user_profile');
  const access = new Map<string, MethodAccess>();
  for (const type of registry) {
    if (type.kind !== 'service' || !type.typeName.startsWith('charge.v1.')) continue;
    for (const method of type.methods) {
      const scope = SCOPES[Number(getOption(method, requiredScope)) - 1];
      if (scope === undefined) throw new TypeError(`${type.typeName}/${method.name} has no required_scope`);
      const isForOne = hasOption(method, forOneUserProfile) && Boolean(getOption(method, forOneUserProfile));
      access.set(`${type.typeName}/${method.name}`, { requiredScope: scope, forOneUserProfile: isForOne });
    }
  }
  return ({ service, method }) => access.get(`${service}/${method}`);
}

/** Why the principal may not call the method, or undefined. */
export function refusalOf(access: MethodAccess, { scopes, userProfile }: Principal): Failure | undefined {
  if (!scopes.has(access.requiredScope)) {
    return permissionDenied(`This method needs a credential with the scope ${access.requiredScope}.`, {
      required_scope: `SCOPE_${access.requiredScope}`,
    });
  }
  if (userProfile !== undefined && !access.forOneUserProfile) {
    return permissionDenied('This method is not for credentials of a single user profile.', {
      user_profile: userProfile,
    });
  }
  return undefined;
}
