// `npm test`: on a fresh clone this installs and builds first. Further arguments go to Jest.
import { build } from './build.mjs';
import { installWhenNeeded } from './dependencies.mjs';
import { jest } from './jest.mjs';

installWhenNeeded();
await build();
process.exitCode = await jest(process.argv.slice(2));
