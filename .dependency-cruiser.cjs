/** No circles, and nothing that nobody imports. The direction of imports: eslint.config.js. */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['^src/start\\.js$', '^src/cli/'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|generated' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
