export { captureActivityLogs } from './capture-activity-logs.js';
