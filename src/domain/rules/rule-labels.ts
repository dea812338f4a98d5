/** Above what RESPONSE.FLAGS has room for a rule stays without one. */
const MOST_LABELS = 0x7fff;

/**
 * Small numbers for the names of rules, which connections remember. A name keeps its number for the life of the worker: a
 * connection outlives the rule that has chosen its backend, whose line (POOL) is another one's by then. 0 is no rule.
 */
export class RuleLabels {
  readonly #names = [''];
  readonly #labels = new Map<string, number>();

  of(name: string): number {
    const known = this.#labels.get(name);
    if (known !== undefined) return known;
    if (this.#names.length > MOST_LABELS) return 0;
    const label = this.#names.push(name) - 1;
    this.#labels.set(name, label);
    return label;
  }

  /** '' of 0. */
  nameOf(label: number): string {
    return this.#names[label] ?? '';
  }
}
