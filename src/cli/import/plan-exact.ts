/** The plan for a file that is read as it is. */

import { UsageError } from '../command.ts';
import { planColumns, type ColumnRules } from './columns.ts';
import type { Conversion } from './convert-rows.ts';
import type { Layout } from './layouts/layout.ts';
import type { ImportOptions } from './options.ts';
import type { ImportPlan } from './planned.ts';
import { previewOf } from './preview.ts';
import type { Sample } from './sample.ts';

/** Plans it. Throws a {@link UsageError} if a flag says how to read it. */
export function planExact(options: ImportOptions, sample: Sample, layout: Layout): ImportPlan {
  const { map, constants, labels, otherProviders, requestIdColumn, requestIdPrefix } = options;
  const flags = {
    '--map': map.length > 0,
    '--set': constants.length > 0,
    '--labels': labels !== undefined,
    '--other-providers': otherProviders === true,
    '--request-id-column': requestIdColumn !== undefined,
  };
  const given = Object.entries(flags).flatMap(([flag, isGiven]) => (isGiven ? [flag] : []));
  if (given.length > 0)
    throw new UsageError([
      `${options.file} is an export of the Charge Service, which is read as it is, so it takes no ${given.join(', ')}`,
    ]);
  const rules: ColumnRules = { map: [], labels: undefined, layout, idColumns: [] };
  const template = { constants: [], otherProviders: undefined, takesImportTime: false, takesInside: false };
  const conversion: Conversion = { rules, template, requestIdPrefix };
  const identity = 'those of the exported charges';
  return {
    layout,
    sample,
    columns: planColumns(sample.columns, rules),
    conversion,
    preview: previewOf(sample.rows, conversion),
    identity:
      requestIdPrefix === undefined ? identity : `${JSON.stringify(requestIdPrefix)}, then ${identity}`,
    notes: [
      ...sample.notes,
      'charges that were voided or amended do not count and are left out; costs are made anew by the prices of the service',
    ],
    doubts: [],
  };
}
