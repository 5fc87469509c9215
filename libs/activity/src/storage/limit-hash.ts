import { createHash } from 'node:crypto';

/** The key of a limit as it is kept and compared: exactly, so that case, blanks at the end and accents make another one. */
export function limitHash(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
