/** Whether a charge matches a filter, for watches. Lists filter in SQL (`store/charge-conditions.ts`). */

import type { Charge, ChargeFilter } from './charge.ts';
import type { JournalEvent, ErasedEvent } from './charge-event.ts';

/** The user profiles that carry the labels of a filter; undefined: the filter names none. */
type LabelledUserProfiles = ReadonlySet<string> | undefined;

/**
 * Whether an event is about a charge that matches: for an amendment, the original or its replacement; or about an erased
 * person that the filter names.
 */
export function eventMatches(
  filter: ChargeFilter,
  event: JournalEvent,
  userProfiles: LabelledUserProfiles,
): boolean {
  if (event.kind === 'erased') return concernsErased(filter, event);
  return chargesOf(event).some((charge) => matches(filter, charge, userProfiles));
}

/** The user profiles that events are about. */
export function userProfilesOf(events: readonly JournalEvent[]): ReadonlySet<string> {
  return new Set(events.flatMap(chargesOf).map(({ userProfile }) => userProfile));
}

function chargesOf(event: JournalEvent): Charge[] {
  if (event.kind === 'erased') return [];
  return event.kind === 'amended' ? [event.charge, event.original] : [event.charge];
}

/** Whether the filter is about everybody, or about the person alone. */
function concernsErased({ userProfile, ...others }: ChargeFilter, event: ErasedEvent): boolean {
  return (
    Object.values(others).every((member) => !member) &&
    (!userProfile || userProfile === event.userProfile || userProfile === event.pseudonym)
  );
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
