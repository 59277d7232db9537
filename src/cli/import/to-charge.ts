/** Makes a charge out of the cells of one row, or says everything that is wrong with them. */

import { Charge, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import type { FieldViolation } from '../../errors/failure.ts';
import { COUNT_FIELDS, DETAIL_FIELDS, nameOf, TEXT_FIELDS, type Target } from './fields.ts';
import { parseTimestamp } from './timestamp.ts';
import { parseChargeType, parseCount, parseProvider, quote, Unusable, type Cell } from './values.ts';

/** What rows get that the file says nothing about. Undefined members have a column or a constant. */
export interface Defaults {
  readonly user_profile?: string;
  readonly provider?: Provider;
  /** Fills `other_provider` where `provider` is PROVIDER_OTHER by default. */
  readonly other_provider?: string;
  readonly charge_type?: ChargeType;
  /** Only for completions: other charges need no model. */
  readonly model?: string;
}

/** The part of every charge that does not come from its row. */
export interface ChargeTemplate {
  /** `--set`: applied before the row's cells. */
  readonly constants: readonly (readonly [Target, string])[];
  readonly defaults: Defaults;
  /** `--other-providers`: a provider that the contract does not name is PROVIDER_OTHER of that name. */
  readonly otherProviders: boolean;
}

/** A row's charge and, with `--request-id-column`, its request id; or the violations, at least one. */
export type Converted =
  | { readonly charge: Charge; readonly requestId: string | undefined }
  | { readonly violations: readonly FieldViolation[] };

interface Draft {
  readonly charge: Charge;
  readonly otherProviders: boolean;
  readonly violations: FieldViolation[];
  /** Counts that the row mentions, and those of them whose cell is empty. */
  readonly counts: Set<string>;
  readonly blankCounts: string[];
  requestId: string | undefined;
}

/**
 * Converts one row; `targets` and `cells` correspond by index. Only what the contract's message
 * cannot carry is judged here (digits, times, enum names, missing counts): lengths and the rules
 * between fields are the server's to judge. Never throws.
 */
export function toCharge(
  targets: readonly (readonly Target[])[],
  cells: readonly Cell[],
  template: ChargeTemplate,
): Converted {
  const draft: Draft = {
    charge: Charge.fromPartial({}),
    otherProviders: template.otherProviders,
    violations: [],
    counts: new Set(),
    blankCounts: [],
    requestId: undefined,
  };
  for (const [target, text] of template.constants) apply(draft, target, text);
  for (let index = 0; index < targets.length; index += 1) {
    const cell = cells[index];
    if (cell === undefined) continue;
    for (const target of targets[index] ?? []) apply(draft, target, cell);
  }
  fillDefaults(draft.charge, template.defaults);
  checkCounts(draft);
  if (draft.violations.length > 0) return { violations: draft.violations };
  return { charge: draft.charge, requestId: draft.requestId };
}

function apply(draft: Draft, target: Target, cell: string | Unusable): void {
  if (cell instanceof Unusable)
    return violate(draft, target, 'import.type', `is ${cell.what}, not a single value`);
  if (!cell.isWellFormed()) return violate(draft, target, 'import.text', 'is not well-formed Unicode');
  switch (target.kind) {
    case 'text':
      draft.charge[TEXT_FIELDS[target.name]] = cell;
      break;
    case 'count':
    case 'detail':
      applyCount(draft, target, cell.trim());
      break;
    case 'label':
      if (cell !== '') draft.charge.labels.set(target.key, cell);
      break;
    case 'request_id':
      // Printable ASCII is checked here because the violation of a server would not name the column.
      if (/^[ -~]{1,128}$/.test(cell)) draft.requestId = cell;
      else
        violate(
          draft,
          target,
          'import.request_id',
          `${quote(cell)} is not 1 to 128 printable ASCII characters`,
        );
      break;
    case 'usage_time':
      applyTime(draft, target, cell.trim());
      break;
    default:
      applyEnum(draft, target, cell.trim());
  }
}

function applyCount(draft: Draft, target: Target & { kind: 'count' | 'detail' }, text: string): void {
  if (target.kind === 'count') draft.counts.add(target.name);
  if (text === '') {
    if (target.kind === 'count' && target.name !== 'total_tokens') draft.blankCounts.push(target.name);
    return;
  }
  const count = parseCount(text);
  if (typeof count !== 'bigint') return violate(draft, target, 'import.count', count.reason);
  if (target.kind === 'count') {
    draft.charge[COUNT_FIELDS[target.name]] = count;
    return;
  }
  draft.charge.tokenDetails ??= {
    cacheReadTokens: 0n,
    cacheWrite5mTokens: 0n,
    cacheWrite1hTokens: 0n,
    reasoningTokens: 0n,
    audioInputTokens: 0n,
    audioOutputTokens: 0n,
  };
  draft.charge.tokenDetails[DETAIL_FIELDS[target.name]] = count;
}

function applyTime(draft: Draft, target: Target, text: string): void {
  const time = parseTimestamp(text);
  if (time) draft.charge.usageTime = time;
  // An absent time would become the moment of the import, which is no time of usage.
  else if (text === '') violate(draft, target, 'import.time', 'is empty');
  else
    violate(
      draft,
      target,
      'import.time',
      `${quote(text)} is not a time that the importer reads (see --help)`,
    );
}

function applyEnum(draft: Draft, target: Target, text: string): void {
  if (text === '') return;
  if (target.kind === 'charge_type') {
    const type = parseChargeType(text);
    if (type !== undefined) draft.charge.chargeType = type;
    else violate(draft, target, 'import.enum', `${quote(text)} is not completion, plugin or tool`);
    return;
  }
  const provider = parseProvider(text);
  if (provider !== undefined) draft.charge.provider = provider;
  else if (draft.otherProviders) {
    draft.charge.provider = Provider.PROVIDER_OTHER;
    draft.charge.otherProvider = text;
  } else {
    const hint = 'is not a provider of the contract; --other-providers records such as PROVIDER_OTHER';
    violate(draft, target, 'import.enum', `${quote(text)} ${hint}`);
  }
}

function fillDefaults(charge: Charge, defaults: Defaults): void {
  if (charge.userProfile === '') charge.userProfile = defaults.user_profile ?? '';
  if (charge.chargeType === 0) charge.chargeType = defaults.charge_type ?? 0;
  if (charge.provider === 0 && defaults.provider !== undefined) {
    charge.provider = defaults.provider;
    if (charge.otherProvider === '') charge.otherProvider = defaults.other_provider ?? '';
  }
  if (charge.model === '' && charge.chargeType === ChargeType.CHARGE_TYPE_COMPLETION) {
    charge.model = defaults.model ?? '';
  }
}

/** A completion whose tokens nobody wrote down must not become one that used none. */
function checkCounts(draft: Draft): void {
  if (draft.charge.chargeType !== ChargeType.CHARGE_TYPE_COMPLETION) return;
  for (const name of draft.blankCounts) {
    draft.violations.push({
      field: `charge.${name}`,
      description: 'is empty: write 0 for a completion that used none',
      rule: 'import.count',
    });
  }
  if (draft.counts.size > 0) return;
  draft.violations.push({
    field: 'charge.prompt_tokens',
    description: 'the row has no token count at all',
    rule: 'import.count',
  });
}

function violate(draft: Draft, target: Target, rule: string, description: string): void {
  const path =
    target.kind === 'label' ? `charge.labels[${JSON.stringify(target.key)}]` : `charge.${nameOf(target)}`;
  draft.violations.push({ field: target.kind === 'request_id' ? 'request_id' : path, description, rule });
}
