import tseslint from 'typescript-eslint';

/** Imports run one way: rpc → domain ← store, relay → store. Circles: .dependency-cruiser.cjs. */
const DIRECTION = {
  domain: ['contract', 'rpc', 'store', 'relay', 'observability', 'embedded', 'cli', 'server', 'supervisor'],
  contract: ['rpc', 'store', 'relay', 'observability', 'embedded', 'cli', 'server', 'supervisor'],
  rpc: ['store', 'relay', 'observability', 'embedded', 'cli', 'server', 'supervisor'],
  store: ['contract', 'rpc', 'relay', 'observability', 'embedded', 'cli', 'server', 'supervisor'],
  relay: ['rpc', 'observability', 'embedded', 'cli', 'server', 'supervisor'],
  embedded: ['domain', 'contract', 'rpc', 'store', 'relay', 'observability', 'cli', 'server', 'supervisor'],
  cli: ['rpc', 'store', 'relay', 'embedded', 'server', 'supervisor'],
};

export default tseslint.config(
  { ignores: ['node_modules/', 'generated/', '.data/', '.cache/', 'coverage/', 'bench/peers/**/*.py'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allow: [] }],
      '@typescript-eslint/prefer-nullish-coalescing': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['error', 'log'] }],
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  ...Object.entries(DIRECTION).map(([layer, forbidden]) => ({
    files: [`src/${layer}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
              message: `src/${layer} must not know this layer (see docs/architecture.md).`,
            },
          ],
        },
      ],
    },
  })),
  // A migration is one list of statements.
  { files: ['src/database/migrations/*.ts'], rules: { 'max-lines-per-function': 'off' } },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
);
