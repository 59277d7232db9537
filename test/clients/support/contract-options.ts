/** The contract's own options, read from descriptors that came over the wire or from `buf build`. */
import { type FileRegistry, getOption, hasOption } from '@bufbuild/protobuf';
import { type GenExtension } from '@bufbuild/protobuf/codegenv2';
import { type EnumValueOptions } from '@bufbuild/protobuf/wkt';

/** Name and label of every value, read with the registry's own extension; a file without labels does not import it. */
export function labelsOf(registry: FileRegistry, enumName: string): [string, unknown][] {
  const label = registry.getExtension('charge.v1.label') as
    GenExtension<EnumValueOptions, string> | undefined;
  return (registry.getEnum(enumName)?.values ?? []).map((value) => [
    value.name,
    label !== undefined && hasOption(value, label) ? getOption(value, label) : undefined,
  ]);
}

/** Path and rules of every message, field and oneof that has some. */
export function rulesOf(registry: FileRegistry, messageName: string): [string, unknown][] {
  const message = registry.getMessage(messageName);
  const places = [
    ['message', [message]],
    ['field', message?.fields ?? []],
    ['oneof', message?.oneofs ?? []],
  ] as const;
  return places.flatMap(([kind, all]) => {
    const rules = registry.getExtension(`buf.validate.${kind}`);
    if (rules === undefined) throw new Error(`the option buf.validate.${kind} is not known`);
    return all.flatMap((one): [string, unknown][] => {
      if (one === undefined || !hasOption(one as never, rules as never)) return [];
      const name = one.kind === 'message' ? messageName : `${messageName}.${one.name}`;
      return [[name, getOption(one as never, rules as never)]];
    });
  });
}
