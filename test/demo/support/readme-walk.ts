/** One command of the README's walk, with the answers that stand below it. */
export interface WalkStep {
  command: string;
  answers: string[];
}

/** The commands and answers below a heading of a Markdown page, in their order. */
export function walkOf(page: string, heading: string): WalkStep[] {
  const [, section] = page.split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`the page has no heading "${heading}"`);
  const steps: WalkStep[] = [];
  for (const [, language, text] of section.split('\n## ')[0]!.matchAll(/^```(sh|json)\n([\s\S]*?)^```/gm)) {
    if (language === 'sh') steps.push({ command: text!.trim(), answers: [] });
    else steps.at(-1)!.answers.push(text!);
  }
  return steps;
}

/**
 * What an answer says that differs from what the page shows, or undefined. In the page, `…` stands for fields, items or
 * text left out; all else is to be there as shown, and nothing more. Where the page shows the size of `node_modules`, any
 * figures will do.
 */
export function differenceFrom(shown: string, answer: unknown): string | undefined {
  const isMeasured = /\b36,?788\b/.test(shown);
  return difference(readShown(shown), answer, { path: 'answer', isMeasured });
}

interface Place {
  path: string;
  isMeasured: boolean;
}

const LEFT_OUT = '…';

function readShown(text: string): unknown {
  return JSON.parse(text.replaceAll(/…(?=\s*\})/g, `"${LEFT_OUT}": true`).replaceAll(/…(?=\s*\])/g, `"${LEFT_OUT}"`));
}

function difference(shown: unknown, found: unknown, place: Place): string | undefined {
  if (Array.isArray(shown)) return ofLists(shown, found, place);
  if (typeof shown === 'object' && shown !== null) return ofObjects(shown, found, place);
  const isSame =
    typeof shown === 'string' && typeof found === 'string'
      ? pattern(shown, place).test(found)
      : shown === found || (place.isMeasured && typeof shown === 'number' && typeof found === 'number');
  return isSame ? undefined : `${place.path} is ${JSON.stringify(found)}, and shown as ${JSON.stringify(shown)}`;
}

function ofLists(shown: readonly unknown[], found: unknown, place: Place): string | undefined {
  const isOpen = shown.at(-1) === LEFT_OUT;
  const items = isOpen ? shown.slice(0, -1) : shown;
  if (!Array.isArray(found) || found.length < items.length || (!isOpen && found.length > items.length)) {
    return `${place.path} is ${JSON.stringify(found)}, and shown with ${items.length} items`;
  }
  return firstOf(items.map((item, index) => difference(item, found[index], within(place, index))));
}

function ofObjects(shown: object, found: unknown, place: Place): string | undefined {
  if (typeof found !== 'object' || found === null) return `${place.path} is ${JSON.stringify(found)}, not an object`;
  const entries = Object.entries(shown).filter(([key]) => key !== LEFT_OUT);
  const extra = Object.keys(found).filter((key) => !(key in shown));
  if (!(LEFT_OUT in shown) && extra.length > 0) return `${place.path} also has ${extra.join(', ')}`;
  return firstOf(
    entries.map(([key, value]) => difference(value, (found as Record<string, unknown>)[key], within(place, key))),
  );
}

/** A shortened id is any id, a shortened time any time. */
function pattern(shown: string, { isMeasured }: Place): RegExp {
  const escaped = shown.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
  const figures = isMeasured ? escaped.replaceAll(/\b\d[\d,]*\b(?!-)/g, String.raw`\d[\d,]*`) : escaped;
  const source = figures
    .replaceAll(/\b[\da-f]{8}-…/g, '[\\da-f]{8}(-[\\da-f]{4}){3}-[\\da-f]{12}')
    .replaceAll(/\b[\d-]{10}T…/g, String.raw`\d{4}-\d\d-\d\dT[\d:.]{12}Z`)
    .replaceAll(LEFT_OUT, '.*');
  return new RegExp(`^${source}$`, 'su');
}

function within(place: Place, key: string | number): Place {
  return { ...place, path: `${place.path}.${key}` };
}

function firstOf(differences: readonly (string | undefined)[]): string | undefined {
  return differences.find((one) => one !== undefined);
}
