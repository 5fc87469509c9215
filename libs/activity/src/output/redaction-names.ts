/**
 * Keys whose values are secrets wherever nothing else is said. A key that ends with one of them is meant too
 * (`DB_PASSWORD`, `x-api-key`, `newPassword`).
 */
export const SECRET_NAMES = `
  password, passwords, passwd, pwd, passphrase, password hash, password confirmation, secret, secrets, token,
  access tokens, refresh tokens, jwt, credential, credentials, authorization, cookie, cookies, connection string, api key,
  api keys, private key, private keys, secret key, access key, account key, signing key, encryption key
`.split(',');

/** Their values have blanks in them: in a text that does not quote them, they go to the end of the line. */
const VALUES_WITH_BLANKS = new Set(['authorization', 'cookie', 'cookies', 'connectionstring']);

/** Names this long are found without a border before them, as in `PGPASSWORD`; `pin` must not be found in `shipping`. */
const LONG_ENOUGH = 5;

export interface FoundName {
  from: number;
  /** Its value may have blanks. */
  hasBlanks: boolean;
}

interface Node {
  next: Map<number, Node>;
  ends?: { hasBlanks: boolean };
}

/** Says whether a text ends with the name of a secret, in any spelling: `apiKey` = `api_key` = `API-KEY` = `api key`. */
export class SecretNames {
  /** The names from their ends, letter by letter: nearly every key is told after one or two. */
  readonly #root: Node = { next: new Map() };

  constructor(names: readonly string[]) {
    for (const name of names) this.#add(plainName(name));
  }

  /** Whether a key of an object is the name of a secret. */
  has(key: string): boolean {
    return this.endingAt(key, key.length) !== undefined;
  }

  /**
   * The name of a secret that ends right before `end`, but for digits (`password2`).
   * @returns where it begins; undefined when there is none.
   */
  endingAt(text: string, end: number): FoundName | undefined {
    if (end === 0) return undefined;
    const found = this.#endingRightAt(text, end);
    return found || !isDigit(text.charCodeAt(end - 1)) ? found : this.#endingRightAt(text, beforeDigits(text, end));
  }

  #endingRightAt(text: string, end: number): FoundName | undefined {
    let node: Node | undefined = this.#root;
    let at = end;
    for (let length = 1; at > 0; length++) {
      if (length > 1) at = beforeSeparators(text, at);
      node = node.next.get(lowerCode(text, --at));
      if (!node) return undefined;
      if (node.ends && (length >= LONG_ENOUGH || beginsWord(text, at))) return { from: at, ...node.ends };
    }
    return undefined;
  }

  #add(name: string): void {
    let node = this.#root;
    for (let at = name.length - 1; at >= 0; at--) {
      const code = name.charCodeAt(at);
      let next = node.next.get(code);
      if (!next) node.next.set(code, (next = { next: new Map() }));
      node = next;
    }
    node.ends = { hasBlanks: VALUES_WITH_BLANKS.has(name) };
  }
}

/** A name without what its spellings differ in. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, '');
}

function beforeDigits(text: string, end: number): number {
  let at = end;
  while (at > 0 && end - at < 3 && isDigit(text.charCodeAt(at - 1))) at--;
  return beforeSeparators(text, at);
}

function beforeSeparators(text: string, end: number): number {
  let at = end;
  while (at > 1 && end - at < 2 && isSeparator(text.charCodeAt(at - 1))) at--;
  return at;
}

/** `Key` in `apiKey`, `Password` in `DBPassword`, or anything after what is neither letter nor digit. */
function beginsWord(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text[at - 1]!;
  if (!/[\p{L}\p{N}]/u.test(before)) return true;
  if (!isUpper(text, at)) return false;
  return !isUpper(text, at - 1) || (at + 1 < text.length && !isUpper(text, at + 1));
}

function isUpper(text: string, at: number): boolean {
  const letter = text[at]!;
  return letter !== letter.toLowerCase();
}

function lowerCode(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 65 && code <= 90) return code + 32;
  return code < 128 ? code : text[at]!.toLowerCase().charCodeAt(0);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** `-`, `_`, `.` or a blank. */
function isSeparator(code: number): boolean {
  return code === 45 || code === 95 || code === 46 || code === 32;
}
