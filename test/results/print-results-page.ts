import { writeFileSync } from 'node:fs';
import { resultsPage } from './results-page.js';

writeFileSync(new URL('../../docs/reference/results.md', import.meta.url), resultsPage());
