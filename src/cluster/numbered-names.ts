type NumberedName = readonly [number: number, name: string];

/** What has been told of numbers that have names, so that only what is new is told again. */
export class NumberedNames {
  readonly #read: () => readonly NumberedName[];
  readonly #told = new Map<number, string>();

  constructor(read: () => readonly NumberedName[]) {
    this.#read = read;
  }

  /** Those that are new or other ones since the last call; they count as told. */
  changed(): NumberedName[] {
    const changed = this.#read().filter(([number, name]) => this.#told.get(number) !== name);
    for (const [number, name] of changed) this.#told.set(number, name);
    return changed;
  }

  /** Nobody has been told anything. */
  forget(): void {
    this.#told.clear();
  }
}
