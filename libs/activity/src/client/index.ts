export { readActivityStream, type ActivityStreamSource } from './read-activity-stream.js';
export { ActivityStreamCutError } from './stream-cut-error.js';
export type { ActivityFrame, DoneFrame, ErrorFrame, GapFrame, LogFrame, StartedFrame } from '../model/frames.js';
