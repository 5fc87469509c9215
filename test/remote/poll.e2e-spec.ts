import { describeEachDatabase } from '../support/databases.js';
import { itCancelsFromElsewhere } from './cancels-from-elsewhere.js';

describeEachDatabase('a cancel from another process, without a bus,', (database) => {
  itCancelsFromElsewhere(database, () => ({ bus: 'off', cancelPoll: 200 }));
});
