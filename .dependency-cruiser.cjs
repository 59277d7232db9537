/**
 * Who may import whom (docs/architecture.md). Kits know no feature, features meet only through their index.ts, only
 * the process roots know everything. A new folder has to be added here.
 */
const KITS = ['errors', 'observability', 'database', 'grpc', 'http', 'tls', 'embedded'];
/** Each feature, and the features that it stands on. */
const FEATURES = {
  journal: [],
  tenants: ['journal'],
  prices: ['journal', 'tenants'],
  charges: ['journal', 'prices', 'tenants'],
  relay: ['charges', 'journal', 'tenants'],
  usage: ['charges', 'journal', 'prices', 'tenants'],
};
/** The files of prices that know neither messages nor the database. */
const PRICE_RULES = '^src/prices/(money|currency|price|price-[a-z]+|cost|ports)\\.ts$';
const ROOTS = ['server', 'supervisor', 'cli'];

const features = Object.keys(FEATURES);
const any = (names) => `^src/(${names.join('|')})/`;
const forbid = (name, from, to) => ({ name, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid('no-circular', {}, { circular: true }),
    forbid('no-orphans', { orphan: true, pathNot: ['^src/start\\.js$', '^src/cli/charge\\.js$'] }, {}),
    forbid(
      'every-folder-has-its-place',
      { path: '^src/[^/]+/', pathNot: any([...KITS, ...features, ...ROOTS]) },
      {},
    ),
    forbid('kits-know-no-feature', { path: any(KITS) }, { path: any([...features, ...ROOTS]) }),
    forbid('features-know-no-root', { path: any(features) }, { path: any(ROOTS) }),
    ...Object.entries(FEATURES).map(([feature, standsOn]) =>
      forbid(
        `${feature}-stands-on`,
        { path: any([feature]) },
        { path: any(features), pathNot: any([feature, ...standsOn]) },
      ),
    ),
    forbid(
      'features-meet-through-index',
      { path: `^src/(${[...KITS, ...features].join('|')})/` },
      { path: any(features), pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    ),
    forbid('rpc-knows-no-store', { path: '^src/[^/]+/rpc/' }, { path: '^src/[^/]+/store/' }),
    forbid('store-knows-no-rpc', { path: '^src/[^/]+/store/' }, { path: '^src/[^/]+/rpc/' }),
    forbid(
      'the-domain-knows-only-itself',
      { path: '^src/charges/(charge|charge-[a-z]+|canonical-content|reprice|ports)\\.ts$' },
      {
        path: '^(src|generated)/',
        pathNot:
          '^src/(charges/(charge|charge-[a-z]+|canonical-content|reprice|ports)|prices/index|tenants/index)\\.ts$',
      },
    ),
    forbid(
      'prices-are-computed-from-nothing-else',
      { path: PRICE_RULES },
      { path: '^(src|generated)/', pathNot: [PRICE_RULES, '^src/tenants/index\\.ts$'] },
    ),
    forbid(
      'messages-are-for-those-who-translate-them',
      {
        pathNot:
          '^src/(grpc|errors|cli)/|^src/[^/]+/rpc/|/convert\\.ts$|^src/relay/event-message\\.ts$|^generated/',
      },
      { path: '^generated/' },
    ),
    forbid(
      'a-command-is-a-client',
      { path: any(['cli']) },
      {
        path: '^src/',
        pathNot: [
          '^src/(cli|errors)/',
          '^src/(config|node-version|compile-cache)\\.(ts|js)$',
          // The first key is made in the database: before it is there, nobody can call the service.
          '^src/server/bootstrap-key\\.ts$',
        ],
      },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules|generated' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
