/**
 * Who may import whom. In ES modules with decorators a cycle is a crash at start, and an arrow that points the wrong way
 * is the first half of one.
 */
const SOURCE = 'libs/activity/src';
const SPEC = String.raw`\.(e2e-)?spec\.ts$`;

/** Folder → the folders of the library that it may import besides itself; a folder that is not listed may not exist. */
const CORE = {
  model: [],
  config: ['model'],
  storage: ['config', 'model'],
  bus: ['config', 'model'],
  output: ['config', 'model'],
  execution: ['storage', 'bus', 'output', 'config', 'model'],
  recovery: ['execution', 'storage', 'bus', 'output', 'config', 'model'],
  capture: ['execution', 'config', 'model'],
  live: ['storage', 'bus', 'config', 'model'],
  tracking: ['execution', 'config', 'model'],
};

/** Optional parts see of the library what its users see. */
const OPTIONAL = [`adapters/[^/]+`, 'admin', 'testing'];

const OPTIONAL_PEERS = ['@nestjs/swagger', 'better-sqlite3', 'ioredis', 'mysql2', 'pg', 'pino'];

const folders = (names) => `^${SOURCE}/(${names.join('|')})/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    ...Object.entries(CORE).map(([folder, allowed]) => ({
      name: `arrows-of-${folder}`,
      comment: `${folder}/ may import ${allowed.length > 0 ? allowed.join(', ') : 'nothing else of the library'}`,
      severity: 'error',
      from: { path: folders([folder]), pathNot: SPEC },
      to: { path: '^libs/', pathNot: folders([folder, ...allowed]) },
    })),
    {
      name: 'model-imports-nothing',
      comment: 'model/ imports nothing, not even Nest',
      severity: 'error',
      from: { path: folders(['model']), pathNot: SPEC },
      to: { pathNot: folders(['model']) },
    },
    {
      name: 'the-top-is-made-of-core',
      comment: 'index.ts, the module and the service know the core folders, none of the optional parts',
      severity: 'error',
      from: { path: `^${SOURCE}/[^/]+$`, pathNot: SPEC },
      to: { path: '^libs/', pathNot: [`^${SOURCE}/[^/]+$`, folders(Object.keys(CORE))] },
    },
    {
      name: 'optional-parts-import-the-index',
      comment: 'adapters/*, admin/ and testing/ import the library by its index.ts only',
      severity: 'error',
      from: { path: `^${SOURCE}/(${OPTIONAL.join('|')})/`, pathNot: SPEC },
      to: { path: '^libs/', pathNot: [`^${SOURCE}/index\\.ts$`, `^${SOURCE}/$1/`] },
    },
    {
      name: 'the-client-knows-no-nest',
      comment: 'client/ runs in browsers: of the library it may know the model, and it imports neither Nest nor an ORM',
      severity: 'error',
      from: { path: folders(['client']), pathNot: SPEC },
      to: {
        path: ['^libs/', '^node_modules/(@nestjs/|typeorm/)'],
        pathNot: folders(['client', 'model']),
      },
    },
    {
      name: 'every-folder-has-its-arrows',
      severity: 'error',
      from: {
        path: `^${SOURCE}/.+/`,
        pathNot: `^${SOURCE}/(${[...Object.keys(CORE), ...OPTIONAL, 'client'].join('|')})/`,
      },
      to: {},
    },
    {
      name: 'published-code-imports-what-is-declared',
      comment: 'what users install is `dependencies` and `peerDependencies`',
      severity: 'error',
      from: { path: '^libs/', pathNot: SPEC },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'optional-peers-are-asked-for-late',
      comment: 'an optional peer may be missing: import() it where it is needed, or only its types',
      severity: 'error',
      from: { path: `^${SOURCE}/(?!adapters/)`, pathNot: SPEC },
      to: {
        path: `^node_modules/(@types/)?(${OPTIONAL_PEERS.join('|')})/`,
        dynamic: false,
        dependencyTypesNot: ['type-only', 'type-import'],
      },
    },
    {
      name: 'apps-use-the-package',
      comment: 'apps/ import the library by its name, as its users do',
      severity: 'error',
      from: { path: '^apps/' },
      to: { path: '^libs/', dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'nothing-imports-apps-or-tests',
      severity: 'error',
      from: { path: '^libs/', pathNot: SPEC },
      to: { path: '^(apps|test)/' },
    },
  ],
  options: {
    doNotFollow: { path: '^(node_modules|dist)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types count: a folder that knows another one's types knows that folder.
    tsPreCompilationDeps: true,
    detectJSDocImports: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
