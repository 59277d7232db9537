/** What other features and the process roots may use of the journal. */

export { appendEvents, appendToJournal, isHeadMismatch, NUMBERS } from './append.ts';
export { JOURNAL_KIND, JournalHead, type JournalKind, journalEntities, TenantLock } from './entity.ts';
export { JournalFollower } from './follower.ts';
export { lockTenant } from './lock.ts';
export { type JournalEntry, lastSequence, readJournal } from './read.ts';
