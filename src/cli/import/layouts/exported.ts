/**
 * Files that `charge export` has written. They are read as they are: nothing is guessed or trimmed, so that the
 * service finds its own charges again.
 */

import { Charge } from '../../../../generated/charge/v1/charge.ts';
import type { FieldViolation } from '../../../errors/failure.ts';
import { openContract, type Contract } from '../../contract.ts';
import { CONTENT_COLUMNS } from '../../export/charge-columns.ts';
import { CSV_HEADER } from '../../export/csv.ts';
import { labelMember, readLabelText } from '../../export/label-text.ts';
import type { Row } from '../row.ts';
import type { ExactRow, Layout } from './layout.ts';

// What was voided or amended does not count.
const isUsage: Layout['isUsage'] = (cells) => !/VOIDED|AMENDED/.test(cells('state'));

const CSV: Layout = {
  name: 'Charge Service export, CSV',
  has: ['request_id', 'id', 'state', 'create_time', ...CONTENT_COLUMNS.map(({ name }) => name)],
  hasExactly: true,
  fields: {},
  isUsage,
  exact: readCells,
};

const NDJSON: Layout = {
  name: 'Charge Service export, NDJSON',
  // Only an export has both a request id and what the server sets.
  has: ['requestId', 'id', 'state', 'createTime', 'userProfile', 'provider', 'chargeType', 'usageTime'],
  hasExactly: true,
  fields: {},
  isUsage,
  exact: readJson,
};

export const EXPORTED: readonly Layout[] = [CSV, NDJSON];

/** Whether rows with these columns are exported charges. */
export function isExported(columns: readonly string[]): boolean {
  return EXPORTED.some(({ has }) => has.every((name) => columns.includes(name)));
}

/** Whether a file that begins with these bytes is a CSV export which no other program has saved again. */
export function isExportedCsv(head: Buffer): boolean {
  return head.toString('utf8').startsWith(`${CSV_HEADER}\n`);
}

/** Bytes by which {@link isExportedCsv} tells it. */
export const EXPORTED_HEAD_BYTES: number = CSV_HEADER.length + 1;

function readCells({ columns, cells }: Row): ExactRow {
  const charge = Charge.fromPartial({});
  const violations: FieldViolation[] = [];
  const textOf = (name: string): string => {
    const cell = cells[columns.indexOf(name)];
    return typeof cell === 'string' ? cell : '';
  };
  for (const { name, read } of CONTENT_COLUMNS) {
    const text = textOf(name);
    if (text === '' || !read) continue;
    try {
      read(charge, text);
    } catch (error) {
      violations.push({
        field: `charge.${name}`,
        description: (error as Error).message,
        rule: 'import.value',
      });
    }
  }
  return finish(charge, textOf('request_id'), violations);
}

let contract: Contract | undefined;

function readJson({ raw }: Row): ExactRow {
  try {
    contract ??= openContract();
    const { requestId, labels, ...json } = JSON.parse(raw) as Record<string, unknown>;
    const charge = contract.chargeFromJson(json);
    if (labels !== undefined) charge.labels = readLabelText(labelMember(raw) ?? JSON.stringify(labels));
    return finish(charge, typeof requestId === 'string' ? requestId : '', []);
  } catch (error) {
    const description = (error as Error).message;
    return { violations: [{ field: 'charge', description, rule: 'import.value' }] };
  }
}

/** What must not be made up: the request id and the time. What the server sets is left out. */
function finish(charge: Charge, requestId: string, violations: FieldViolation[]): ExactRow {
  const need = (field: string, isThere: boolean): void => {
    if (!isThere) violations.push({ field, description: 'is missing in this row', rule: 'import.value' });
  };
  need('request_id', requestId !== '');
  if (!violations.some(({ field }) => field === 'charge.usage_time'))
    need('charge.usage_time', charge.usageTime !== undefined);
  if (violations.length > 0) return { violations };
  const { id, createTime, updateTime, cost, state, amends, replacedBy, importId } = Charge.fromPartial({});
  const setByServer = { id, createTime, updateTime, cost, state, amends, replacedBy, importId };
  return { requestId, charge: { ...charge, ...setByServer } };
}
