/** What other features and the process roots may use of the journal. */

export { APPEND_TO_JOURNAL } from './append.ts';
export { journalEntities } from './entity.ts';
export { JournalFollower } from './follower.ts';
export { lastSequence, readJournal } from './read.ts';
