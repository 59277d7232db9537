/** The plan of an import, for people and for programs. */

import { Charge } from '../../../generated/charge/v1/charge.ts';
import { group } from '../progress.ts';
import { timeText } from '../time.ts';
import type { ImportOptions } from './options.ts';
import type { ImportPlan } from './planned.ts';
import { DEFAULTS } from './to-charge.ts';

/** So many charges are shown as they would be recorded. */
const SHOWN_CHARGES = 3;

/** The plan as lines of text. */
export function planToText(plan: ImportPlan, options: ImportOptions): string {
  const { preview } = plan;
  const sums = `${group(preview.promptTokens)} prompt + ${group(preview.completionTokens)} completion tokens`;
  const counts = [
    `${group(preview.requests.length)} charges`,
    ...(preview.rejections.length > 0 ? [`${group(preview.rejections.length)} rejected`] : []),
    ...(preview.leftOut > 0
      ? [`${group(preview.leftOut)} left out, because they are no usage of their own`]
      : []),
  ];
  const [rejection] = preview.rejections;
  const lines = [
    `Importing ${options.file} into ${options.server.address}`,
    `  layout:      ${plan.layout?.name ?? 'not known; the columns are matched by their names'}`,
    `  columns:     ${columnsOf(plan).join(', ') || 'none'}`,
    `  constants:   ${constantsOf(plan).join(', ') || 'none'}`,
    ...(plan.columns.serverSet.length > 0
      ? [`  left out:    ${plan.columns.serverSet.join(', ')} (the service sets its own)`]
      : []),
    `  request ids: ${plan.identity}`,
    `  first ${group(preview.rows)} rows: ${counts.join(', ')}; ${sums}`,
    ...chargesOf(plan).map((charge) => `    ${charge}`),
    ...(rejection ? [`    row ${rejection.row} would be rejected: ${rejection.reason}`] : []),
    ...plan.notes.map((note) => `  note: ${note}`),
    ...plan.doubts.map((doubt) => `warning: ${doubt}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The plan as a part of a JSON object. */
export function planToJson(plan: ImportPlan) {
  const { preview } = plan;
  return {
    layout: plan.layout?.name ?? null,
    columns: columnsOf(plan),
    constants: constantsOf(plan),
    request_ids: plan.identity,
    first_rows: {
      rows: preview.rows,
      charges: preview.requests.length,
      rejected: preview.rejections.length,
      left_out: preview.leftOut,
      prompt_tokens: String(preview.promptTokens),
      completion_tokens: String(preview.completionTokens),
    },
    first_charges: preview.requests
      .slice(0, SHOWN_CHARGES)
      .map(({ charge, requestId }) => ({ request_id: requestId, charge: charge && jsonOf(charge) })),
    notes: plan.notes,
  };
}

function columnsOf({ columns, sample }: ImportPlan): string[] {
  const nameOf = (index: number): string => sample.columns[index] ?? '';
  return columns.assignments.map(({ field, choices }) => {
    const text = choices.map((sum) => sum.map(nameOf).join(' + ')).join(', else ');
    return text === field.name ? text : `${text} → ${field.name}`;
  });
}

function constantsOf({ conversion, columns }: ImportPlan): string[] {
  const { constants } = conversion.template;
  const said = new Set([...columns.fields, ...constants.map(([{ name }]) => name)]);
  const isOpen = (name: string): boolean =>
    !said.has(name) && (name !== 'other_provider' || !said.has('provider'));
  return [
    ...constants.map(
      ([{ name }, value]) => `${name}=${value}${columns.fields.has(name) ? ' (where empty)' : ''}`,
    ),
    ...Object.entries({ ...DEFAULTS, charge_type: 'CHARGE_TYPE_COMPLETION' })
      .filter(([name]) => isOpen(name))
      .map(([name, value]) => `${name}=${value} (default)`),
  ];
}

/** The first charges, each in one line, with the names of JSON. */
function chargesOf({ preview }: ImportPlan): string[] {
  return preview.requests
    .slice(0, SHOWN_CHARGES)
    .map(({ charge, requestId }) => `${requestId} ${charge ? JSON.stringify(jsonOf(charge)) : ''}`);
}

/** Proto3 JSON. The generated code would cut the time to milliseconds. */
function jsonOf(charge: Charge): object {
  const json = Charge.toJSON(charge) as object;
  return charge.usageTime ? { ...json, usageTime: timeText(charge.usageTime) } : json;
}
