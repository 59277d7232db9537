/** What other features and the process roots may use of the journal. */

export { APPEND_TO_JOURNAL } from './append.ts';
export { Journal, JournalHead, journalEntities } from './entity.ts';
export { JournalFollower } from './follower.ts';
export { type JournalEntry, lastSequence, lastSequences, readJournal } from './read.ts';
