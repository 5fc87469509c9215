import type { MessageLevel } from '../../index.js';

/** Names that pino's options may change. */
export interface PinoKeys {
  messageKey: string;
  errorKey: string;
}

/** On every line, or said better elsewhere: the activity knows its request, the line its time. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'context', 'req', 'res']);

/** trace and debug; info; warn; error and fatal: custom levels by their number. */
export function levelOf(level: unknown): MessageLevel {
  const number = typeof level === 'number' ? level : (NUMBERS[String(level).toLowerCase()] ?? 30);
  if (number < 30) return 'debug';
  if (number < 40) return 'info';
  return number < 50 ? 'warn' : 'error';
}

/** Of the labels that a formatter may have put in the place of numbers. */
const NUMBERS: Record<string, number> = { trace: 10, debug: 20, info: 30, warn: 40, warning: 40, error: 50, fatal: 60 };

/**
 * A line as people read it, from the JSON that pino has written: `[context] message {"other":"fields"}`, and the stack of
 * an error in lines of its own. So bindings, formats, serializers and pino's own redaction have been applied.
 */
export function textOf(record: Record<string, unknown>, { messageKey, errorKey }: PinoKeys): string {
  const { [messageKey]: message, [errorKey]: error, ...others } = record;
  const { stack, fields: errorFields } = partsOf(error);
  const fields = Object.entries(others).filter(([key]) => !LEFT_OUT.has(key));
  if (errorFields !== undefined) fields.push([errorKey, errorFields]);
  const parts = [
    typeof record['context'] === 'string' ? `[${record['context']}]` : '',
    message === undefined ? '' : typeof message === 'string' ? message : JSON.stringify(message),
    fields.length > 0 ? JSON.stringify(Object.fromEntries(fields)) : '',
  ];
  const line = parts.filter((part) => part !== '').join(' ');
  return stack === undefined ? line : `${line}\n${stack}`;
}

/** Its stack begins with type and message; what is left is worth a look (`code`, …). */
function partsOf(error: unknown): { stack?: string; fields?: unknown } {
  if (typeof error !== 'object' || error === null) return { fields: error };
  const { type: _type, message: _message, stack, ...fields } = error as Record<string, unknown>;
  if (typeof stack !== 'string') return { fields: error };
  return { stack, fields: Object.keys(fields).length > 0 ? fields : undefined };
}
