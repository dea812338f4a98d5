/** The layers: domain <- application <- adapters <- cluster <- cli. An import may only point to the left. */
const layers = ['domain', 'application', 'adapters', 'cluster', 'cli'];
const upward = layers.slice(0, -1).map((layer, index) => ({
  name: `${layer}-imports-no-outer-layer`,
  severity: 'error',
  from: { path: `^src/${layer}/` },
  to: { path: `^src/(${layers.slice(index + 1).join('|')})/` },
}));

/** Node itself and packages, listed in package.json or not. */
const foreign = ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown', 'unknown'];

module.exports = {
  forbidden: [
    ...upward,
    {
      name: 'domain-is-pure',
      comment: 'No node:*, no package: rules must run anywhere, without a clock and without I/O.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: foreign },
    },
    {
      name: 'application-does-no-io',
      severity: 'error',
      from: { path: '^src/application/' },
      to: { dependencyTypes: foreign },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.worker\\.ts$', '\\.d\\.ts$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};
