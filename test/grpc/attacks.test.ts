import { testAttacks } from './support/attacks.ts';

testAttacks(() => Promise.resolve(undefined));
