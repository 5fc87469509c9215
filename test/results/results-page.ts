import { ENDINGS, type Ending } from './ending.js';
import { outcomeOn, RESULT_KINDS, type Outcome, type ResultKind } from './results-table.js';

const HEADS: Record<Ending, string> = {
  well: 'ends well',
  throws: 'throws half-way',
  cancelled: 'is cancelled half-way',
  left: 'client leaves half-way',
};

/** `docs/reference/results.md`, from the table that the suite runs. */
export function resultsPage(): string {
  const rows = RESULT_KINDS.map((kind) => [kind.returns, ...ENDINGS.map((ending) => cellOf(kind, ending))]);
  const notes = RESULT_KINDS.filter(({ note }) => note).map(({ returns, note }) => `- **${returns}.** ${note}`);
  return [
    '<!-- Printed from test/results/results-table.ts: npm run docs:results -->',
    '',
    '# Results',
    '',
    INTRODUCTION,
    '',
    line(['a handler returns', ...ENDINGS.map((ending) => HEADS[ending])]),
    line(Array<string>(ENDINGS.length + 1).fill('---')),
    ...rows.map(line),
    '',
    '## To know',
    '',
    ...notes,
    '',
    RULES,
    '',
  ].join('\n');
}

const INTRODUCTION = `An activity ends with the result of its method. The table says how, for HTTP handlers on Express and on Fastify: the
status and reason of the row, and what the client gets. In every case the body runs once, the header \`Activity-Id\` names
the activity, and nothing is subscribed or open afterwards. The default \`onDisconnect: 'continue'\` is in force; the
answers 409 are those of \`ActivityExceptionFilter\` and of what was thrown.`;

const RULES = `## Rules

- **While bytes flow the row is \`running\`.** It ends with the source: at its end, its error, or when it is closed.
- **A stream is followed, not taken.** A \`StreamableFile\`, a Node stream and an async iterable reach Nest as the same
  object, so interceptors that look for \`instanceof StreamableFile\` see it. An Observable and a web stream reach it as
  another of their kind.
- **An abort closes the source**: a Node stream is destroyed and a web stream cancelled with the signal's reason, an
  Observable is unsubscribed, a generator returned. One that does not let go is left behind after \`cancelGrace\`, and the
  answer is cut.
- **A client that leaves** ends a result that flows as \`cancelled\`, \`client_disconnected\`: nobody reads it any more. Work
  that has yet to give a value goes on, unless \`onDisconnect: 'cancel'\` says otherwise.
- **A result that is not read** has succeeded as it is, with a warning in the log: over HTTP when the answer has been sent
  without it, elsewhere when nobody has read it within \`cancelGrace\`.
- **\`@Res()\` without \`passthrough\`**: the activity ends when the handler's promise has settled and the response has been
  sent or its client has left. A handler that forgets to end its response stays \`running\` until its \`timeout\`, a cancel,
  or until the client gives up; a cancel or deadline after the return cuts the response.
- **An interceptor that tries again** (\`retry\`, \`repeat\`) runs the handler again: each try is an activity, and the header
  names the last.
- **An interceptor that stops waiting** (\`timeout\`) unsubscribes an Observable, which cancels its activity. A promise goes
  on and ends as it ends; with \`onDisconnect: 'cancel'\` it is cancelled.
- **An async generator method** (\`async *\`) begins when it is read. Nest does not read what a handler returns, so a handler
  must not be one: return a \`StreamableFile\` of it.

## Long streams in your metrics

An activity of a stream lasts as long as the stream, and so does the request in an access log or a histogram of request
durations. Leave such routes out of those by their path or by the content type of the answer (\`text/event-stream\`,
\`application/octet-stream\`), and read the durations of the activities instead. A proxy cuts what is silent for longer
than its idle timeout (often 60 s): let an Observable of \`@Sse()\` send a comment every 15 to 30 s.`;

function cellOf(kind: ResultKind, ending: Ending): string {
  const express = outcomeOn('express', kind, ending);
  const fastify = outcomeOn('fastify', kind, ending);
  if (express === fastify) return textOf(express);
  return `Express: ${textOf(express)}<br>Fastify: ${textOf(fastify)}`;
}

function textOf(outcome: Outcome | undefined): string {
  if (!outcome) return '–';
  const { status, reason, seen } = outcome;
  return [`\`${status}\``, reason && `(\`${reason}\`)`, seen && `· ${seen.says}`].filter(Boolean).join(' ');
}

function line(cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}
