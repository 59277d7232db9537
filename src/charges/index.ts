/** What other features may use of charges. The process roots also use `rpc/service.ts`. */

export { type ChargeFilter, SERVICE_TIER_STANDARD } from './charge.ts';
export { type ChargeEvent, type JournalEvent, subjectOfEvent } from './charge-event.ts';
export { timeOfChargeId } from './charge-id.ts';
export { ChargeRates } from './charge-rates.ts';
export { fromProtoChargeFilter, toProtoChargeEvent } from './convert.ts';
export { countCorrections, countResults } from './count-results.ts';
export { chargeEntities } from './entity.ts';
export { ChargeEventReader, readChargeEvents } from './store/charge-events.ts';
export { CorrectionWriter } from './store/correction-writer.ts';
export { createChargeReader } from './store/charge-reader.ts';
export { GroupWriter } from './store/group-writer.ts';
export { type KeptSums, type SumsMove, UserProfileEraser } from './store/erase-user-profile.ts';
export { keepForgetting } from './store/erasure-events.ts';
export { WriteProbe } from './store/write-probe.ts';
export { indexedMember } from './store/charge-conditions.ts';
export { countedCharges, countedChargesOf, inRange, signedCharges } from './store/signed-charges.ts';
export { Repricer } from './store/reprice-charges.ts';
export { createUnpricedUsageReader } from './store/unpriced-usage.ts';
