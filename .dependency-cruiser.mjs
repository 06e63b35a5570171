/**
 * Which folder of src may import which; docs/architecture.md draws the same arrows. A test compares the two, so that an
 * arrow is added in both places or in neither. Inside a folder, imports run in no circle.
 */
export const ARROWS = {
  base: [],
  config: ['base'],
  cluster: ['base'],
  connect: ['config', 'base'],
  etcd: ['connect', 'cluster', 'config', 'base'],
  lock: ['cluster', 'config', 'base'],
  process: ['lock', 'base'],
  commands: ['lock', 'etcd', 'connect', 'cluster', 'config', 'base'],
};

const arrows = Object.entries(ARROWS).map(([folder, targets]) => ({
  name: `${folder}-imports`,
  comment: `src/${folder} may import ${targets.length === 0 ? 'no other folder' : targets.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: {
    path: '^src/',
    pathNot: [folder, ...targets].map((target) => `^src/${target}/`),
  },
}));

const NETWORK = '^(node:)?(tls|http|http2|https|dns|dns/promises)$';

export default {
  forbidden: [
    ...arrows,
    {
      name: 'no-circle',
      comment: 'a file must not import itself by a detour',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'lock-needs-only-the-timing',
      comment: 'of the configuration the lock may know the timing',
      severity: 'error',
      from: { path: '^src/lock/' },
      to: { path: '^src/config/', pathNot: '^src/config/timing\\.ts$' },
    },
    {
      name: 'libraries-stay-below-the-port',
      comment: 'etcd3 and grpc-js are used in src/etcd and src/connect, and nowhere else',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(etcd|connect)/' },
      to: { path: 'node_modules/' },
    },
    {
      name: 'network-stays-below-the-port',
      comment: 'TLS, HTTP and look-ups belong to src/etcd, src/connect and the check of an endpoint',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(etcd|connect|commands/check)/' },
      to: { path: NETWORK, pathNot: '^src/' },
    },
    {
      name: 'no-orphans',
      comment: 'a file that nothing imports is not used',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$', orphan: true },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // An import of a type is an arrow as well.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'] },
  },
};
