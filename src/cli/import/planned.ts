/** What the planning of an import has decided. */

import type { ColumnPlan } from './columns.ts';
import type { Conversion } from './convert-rows.ts';
import type { Layout } from './layouts/layout.ts';
import type { Preview } from './preview.ts';
import type { Sample } from './sample.ts';

/** What was decided. */
export interface ImportPlan {
  readonly layout: Layout | undefined;
  readonly sample: Sample;
  readonly columns: ColumnPlan;
  readonly conversion: Conversion;
  readonly preview: Preview;
  /** Where the request ids come from. */
  readonly identity: string;
  readonly notes: readonly string[];
  /** What a person has to agree to. Empty: the plan can mean only one thing. */
  readonly doubts: readonly string[];
}
