/** Real PostgreSQL and NATS for every suite: see test/support/global-setup.ts. */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/.data', '<rootDir>/.cache'],
  watchPathIgnorePatterns: ['<rootDir>/.data', '<rootDir>/.cache'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  // Only a failure takes as long. A service that starts needs a second, and half a minute on a machine that is too busy.
  testTimeout: 120_000,
  // One more than the cores that CI has: many tests wait for a process to start or for a time limit to end.
  maxWorkers: 3,
};
