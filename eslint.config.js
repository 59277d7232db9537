import tseslint from 'typescript-eslint';

/*
 * Which folders of src/ may import which (docs/architecture.md). Circles: .dependency-cruiser.cjs.
 * Kits know no feature, features meet only through their index.ts, only the roots know everything.
 */
const KITS = ['errors', 'observability', 'database', 'grpc', 'http', 'embedded'];
const FEATURES = ['journal', 'charges', 'relay'];
const ROOTS = ['server', 'supervisor', 'cli'];

/** What each feature may import of other features, through their index.ts. */
const STANDS_ON = { journal: [], charges: ['journal'], relay: ['charges', 'journal'] };

/** Features with RPCs have a domain that rpc/ and store/ stand on. */
const HAS_RPC = ['charges'];

const forbid = (files, rules) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: rules.map(([regex, message]) => ({ regex, message: `${message} (docs/architecture.md)` })),
      },
    ],
  },
});
const folders = (names) => `^(\\.\\./)+(${names.join('|')})/`;

const kitRules = KITS.map((kit) =>
  forbid([`src/${kit}/**/*.ts`], [[folders([...FEATURES, ...ROOTS]), 'A kit knows no feature and no root.']]),
);

const featureRules = FEATURES.flatMap((feature) => {
  const others = FEATURES.filter((name) => name !== feature);
  const shared = [
    [folders(ROOTS), 'A feature knows no root.'],
    [
      folders(others.filter((name) => !STANDS_ON[feature].includes(name))),
      `${feature} does not stand on this feature.`,
    ],
    [`^(\\.\\./)+(${others.join('|')})/(?!index\\.ts)`, 'Features meet only through their index.ts.'],
  ];
  const domain = [`src/${feature}/*.ts`];
  const intoRooms = ['^\\./(rpc|store)/', 'The domain knows neither rpc/ nor store/; index.ts opens both.'];
  return [
    forbid([`src/${feature}/rpc/**/*.ts`], [...shared, ['^(\\.\\./)+store/', 'rpc/ does not know store/.']]),
    forbid([`src/${feature}/store/**/*.ts`], [...shared, ['^(\\.\\./)+rpc/', 'store/ does not know rpc/.']]),
    {
      ...forbid(domain, HAS_RPC.includes(feature) ? [...shared, intoRooms] : shared),
      ignores: [`src/${feature}/index.ts`],
    },
    forbid([`src/${feature}/index.ts`], shared),
  ];
});

const rootRules = [
  forbid(
    ['src/cli/**/*.ts'],
    [
      [
        folders(['server', 'supervisor', 'embedded', 'relay']),
        'A command is a client; it runs no part of the service.',
      ],
    ],
  ),
];

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
  ...kitRules,
  ...featureRules,
  ...rootRules,
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
