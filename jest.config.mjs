import { availableParallelism } from 'node:os';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/test'],
  testRegex: String.raw`\.(spec|e2e-spec)\.ts$`,
  // Two workers fit the smallest machine we care for; more cores are used where there are more.
  maxWorkers: availableParallelism() <= 2 ? 2 : '75%',
  testTimeout: 30_000,
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    [String.raw`^.+\.ts$`]: [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: {
            legacyDecorator: true,
            decoratorMetadata: true,
            useDefineForClassFields: false,
          },
        },
      },
    ],
  },
  moduleNameMapper: {
    '^nestjs-activity$': '<rootDir>/libs/activity/src/index.ts',
    [String.raw`^nestjs-activity/(pino|redis)$`]: '<rootDir>/libs/activity/src/adapters/$1/index.ts',
    [String.raw`^nestjs-activity/(?!package\.json$)(.+)$`]: '<rootDir>/libs/activity/src/$1/index.ts',
    [String.raw`^(\.{1,2}/.*)\.js$`]: '$1',
  },
  collectCoverageFrom: ['libs/activity/src/**/*.ts'],
};
