/**
 * Where the keys of a TOML document stand: the parser gives values without their lines, and a message without a line
 * makes people search. Knows as much of TOML's grammar as that takes, and is given documents only that have been parsed.
 */

/** A key or an index into an array of tables, from the top of the document. */
export type TomlPath = readonly (string | number)[];

const SEPARATOR = '\0';
const BLANKS = /[ \t]*/y;
const BETWEEN_STATEMENTS = /(?:[ \t\r\n]|#[^\n]*)*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
const LITERAL_KEY = /'([^'\n]*)'/y;
const BASIC_KEY = /"(?:[^"\\\n]|\\.)*"/y;
/** A value without others in it: a string of any of the four kinds, or what stands up to the next separator. */
const SCALAR = /"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^,\]}#\n]*/y;

export class TomlLines {
  readonly #text: string;
  #at = 0;
  #line = 1;
  readonly #lines = new Map<string, number>();
  /** How many tables each array of tables has so far. */
  readonly #tables = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
    let table: TomlPath = [];
    for (this.#skip(BETWEEN_STATEMENTS); this.#at < text.length; this.#skip(BETWEEN_STATEMENTS)) {
      if (text[this.#at] === '[') {
        table = this.#header();
        continue;
      }
      this.#pair(table);
    }
  }

  /** The line of that key or element, or of the nearest one around it. */
  lineOf(path: TomlPath): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(path.slice(0, length).join(SEPARATOR));
      if (line !== undefined) return line;
    }
    return 1;
  }

  #header(): TomlPath {
    const isArray = this.#text.startsWith('[[', this.#at);
    this.#advance(isArray ? 2 : 1);
    const keys = this.#key();
    const path = this.#resolve(isArray ? keys.slice(0, -1) : keys);
    if (isArray) {
      path.push(keys.at(-1) ?? '');
      this.#note(path);
      const array = path.join(SEPARATOR);
      const index = this.#tables.get(array) ?? 0;
      this.#tables.set(array, index + 1);
      path.push(index);
    }
    this.#note(path);
    this.#advance(isArray ? 2 : 1);
    return path;
  }

  /** A header names an array of tables and means the last of them. */
  #resolve(keys: readonly string[]): (string | number)[] {
    const path: (string | number)[] = [];
    for (const key of keys) {
      path.push(key);
      const count = this.#tables.get(path.join(SEPARATOR));
      if (count !== undefined) path.push(count - 1);
    }
    return path;
  }

  #key(): string[] {
    const parts: string[] = [];
    for (;;) {
      this.#skip(BLANKS);
      parts.push(this.#keyPart());
      this.#skip(BLANKS);
      if (this.#text[this.#at] !== '.') return parts;
      this.#advance(1);
    }
  }

  #keyPart(): string {
    const bare = this.#take(BARE_KEY) ?? this.#take(LITERAL_KEY, 1);
    if (bare !== null) return bare;
    const quoted = this.#take(BASIC_KEY) ?? '""';
    try {
      return JSON.parse(quoted) as string;
    } catch {
      // An escape that TOML has and JSON has not: such a key is of no use to anybody, and has the line around it.
      return quoted;
    }
  }

  /** `key = value`, at the top of the document or in a table. */
  #pair(table: TomlPath): void {
    const path = [...table, ...this.#key()];
    this.#note(path);
    // The sign between them.
    this.#advance(1);
    this.#skip(BLANKS);
    this.#value(path);
  }

  #value(path: TomlPath): void {
    const [opening] = this.#text[this.#at] ?? '';
    if (opening === '[') this.#list(']', (index) => this.#element(path, index));
    else if (opening === '{') this.#list('}', () => this.#pair(path));
    else this.#skip(SCALAR);
  }

  #list(closing: string, read: (index: number) => void): void {
    this.#advance(1);
    for (let index = 0; ; index++) {
      this.#skip(BETWEEN_STATEMENTS);
      if (this.#text[this.#at] === closing || this.#at >= this.#text.length) break;
      read(index);
      this.#skip(BETWEEN_STATEMENTS);
      if (this.#text[this.#at] === ',') this.#advance(1);
    }
    this.#advance(1);
  }

  #element(array: TomlPath, index: number): void {
    const path = [...array, index];
    // What is around it has been noted.
    this.#lines.set(path.join(SEPARATOR), this.#line);
    this.#value(path);
  }

  #note(path: TomlPath): void {
    for (let length = 1; length <= path.length; length++) {
      const key = path.slice(0, length).join(SEPARATOR);
      if (!this.#lines.has(key)) this.#lines.set(key, this.#line);
    }
  }

  #take(pattern: RegExp, group = 0): string | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#advance(match[0].length);
    return match[group] ?? '';
  }

  #skip(pattern: RegExp): void {
    this.#take(pattern);
  }

  #advance(characters: number): void {
    const end = this.#at + characters;
    for (; this.#at < end; this.#at++) if (this.#text[this.#at] === '\n') this.#line++;
  }
}
