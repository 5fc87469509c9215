import type { Activity, StoredError } from './activity.js';

/** What stands where the text of an error is not for its reader. */
const KEPT_TEXT = 'The work failed. Why is for those who may read the activity.';

/** An activity without the stack traces of its error: as the admin API shows it. */
export function withoutStacks(activity: Activity): Activity {
  return activity.error ? { ...activity, error: withoutStack(activity.error) } : activity;
}

/**
 * The same shape for whoever called: what an unknown error says (SQL, paths) is left out, since it was not written for
 * them, and of any error its causes.
 */
export function activityForCaller(activity: Activity): Activity {
  const { error } = activity;
  if (!error) return activity;
  const { name, message, code } = error;
  if (error.public) return { ...activity, error: { name, message, ...(code === undefined ? {} : { code }) } };
  // The newest line says the same as the error.
  return { ...activity, latestMessage: KEPT_TEXT, error: { name: 'Error', message: KEPT_TEXT } };
}

/** The sentence for the last frame of a stream whose work has failed. */
export function failureText(activityId: string | undefined): string {
  return activityId === undefined
    ? 'The work failed.'
    : `The work failed. Why is for those who may read activity ${activityId}.`;
}

function withoutStack({ stack: _stack, causes, ...error }: StoredError): StoredError {
  return causes ? { ...error, causes: causes.map(withoutStack) } : error;
}
