/** Names kept of one number. It gets another one at a reload, and a slot with each backend that has it, as often as backends come and go. */
const KEPT = 4;

interface Name {
  readonly text: string;
  readonly sinceUs: number;
}

/**
 * What numbers are called, and were: backends by slot, rules and listeners by number. Numbers are used again, and a connection may
 * end long after whatever it came by has gone.
 */
export class NamesInTime {
  /** The latest first. */
  readonly #names = new Map<number, Name[]>();

  /** That number is called so from `sinceUs` on: a time before anybody could use it so, and after the last use of its name before. */
  add(number: number, text: string, sinceUs: number): void {
    const names = this.#names.get(number);
    if (names === undefined) this.#names.set(number, [{ text, sinceUs }]);
    else if (names[0]?.text !== text) {
      names.unshift({ text, sinceUs });
      if (names.length > KEPT) names.pop();
    }
  }

  /** What it was called then; null where it never had a name. */
  at(number: number, us: number): string | null {
    const names = this.#names.get(number);
    if (names === undefined) return null;
    for (const name of names) if (name.sinceUs <= us) return name.text;
    // Older than what is kept.
    return names[names.length - 1]?.text ?? null;
  }
}
