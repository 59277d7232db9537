/** How a statement goes on after a place in a list of charges. */

import { timestamptzFromMicros } from '../../database/types/micros.ts';
import type { ListPosition } from '../charge.ts';
import { timeOfChargeId } from '../charge-id.ts';
import type { ListQuery } from '../ports.ts';

/**
 * For WHERE: the rows after this place. The indexes end with the time of creation, which is the first part of the id.
 * With one strict comparison of all three, PostgreSQL would expect nothing after a place in the middle of equal usage
 * times, and would choose an index that is not in the order of the list.
 */
export function beyondPlace(
  { usageTimeMicros, id }: ListPosition,
  order: ListQuery['order'],
): { readonly sql: string; readonly values: string[] } {
  const times = [usageTimeMicros, timeOfChargeId(id)].map(timestamptzFromMicros);
  const beyond = order === 'newest_first' ? '<' : '>';
  return {
    sql: `(usage_time, create_time) ${beyond}= (?::timestamptz, ?::timestamptz)
       AND ((usage_time, create_time) <> (?::timestamptz, ?::timestamptz) OR id ${beyond} ?::uuid)`,
    values: [...times, ...times, id],
  };
}
