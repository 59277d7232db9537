/** What other features and the process roots may use of the journal. */

export { appendToJournal, isHeadMismatch } from './append.ts';
export { appendEvents } from './append-events.ts';
export { createJournal } from './create.ts';
export { JOURNAL_KIND, type JournalKind, journalEntities } from './entity.ts';
export { JournalFollower } from './follower.ts';
export { InsertEvents } from './insert-events.ts';
export { lockTenant } from './lock.ts';
export { type JournalEntry, journalGroups, lastSequence, readJournal } from './read.ts';
