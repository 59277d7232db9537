/** Whether a charge matches a filter, for watches. Lists filter in SQL (`store/charge-conditions.ts`). */

import type { Charge, ChargeFilter } from './charge.ts';
import type { ChargeEvent } from './charge-event.ts';

/** The user profiles that carry the labels of a filter; undefined: the filter names none. */
type LabelledUserProfiles = ReadonlySet<string> | undefined;

/** Whether an event is about a charge that matches: for an amendment, the original or its replacement. */
export function eventMatches(
  filter: ChargeFilter,
  event: ChargeEvent,
  userProfiles: LabelledUserProfiles,
): boolean {
  return chargesOf(event).some((charge) => matches(filter, charge, userProfiles));
}

/** The user profiles that events are about. */
export function userProfilesOf(events: readonly ChargeEvent[]): ReadonlySet<string> {
  return new Set(events.flatMap(chargesOf).map(({ userProfile }) => userProfile));
}

function chargesOf(event: ChargeEvent): Charge[] {
  return event.kind === 'amended' ? [event.charge, event.original] : [event.charge];
}

/** Whether every member of `filter` that restricts holds for `charge`. */
export function matches(filter: ChargeFilter, charge: Charge, userProfiles?: LabelledUserProfiles): boolean {
  return (
    (userProfiles === undefined || userProfiles.has(charge.userProfile)) &&
    (!filter.userProfile || filter.userProfile === charge.userProfile) &&
    (!filter.sessionKey || filter.sessionKey === charge.sessionKey) &&
    (!filter.provider || filter.provider === charge.provider) &&
    (!filter.chargeType || filter.chargeType === charge.chargeType) &&
    (!filter.model || filter.model === charge.model) &&
    (!filter.reference || filter.reference === charge.reference) &&
    (!filter.importId || filter.importId === charge.importId) &&
    (filter.startTimeMicros === undefined || charge.usageTimeMicros >= filter.startTimeMicros) &&
    (filter.endTimeMicros === undefined || charge.usageTimeMicros < filter.endTimeMicros) &&
    (filter.labels === undefined || hasLabels(charge.labels, filter.labels))
  );
}

function hasLabels(labels: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of wanted) {
    if (labels.get(key) !== value) return false;
  }
  return true;
}
