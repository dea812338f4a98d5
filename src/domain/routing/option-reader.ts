/**
 * Reads a router's `config = { … }` key by key, and gathers what is wrong with it: a plug-in's parse() asks for each key that
 * it knows, then returns result().
 */
import type { RouterOptions } from './router.js';

/** Both inclusive. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

export class OptionReader {
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #problems: { readonly key: string; readonly expected: string }[] = [];

  constructor(config: Readonly<Record<string, unknown>>) {
    this.#config = config;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#config[key] ?? fallback;
    return typeof value === 'boolean' ? value : this.#refuse(key, 'expected true or false', fallback);
  }

  text(key: string, fallback: string): string {
    const value = this.#config[key] ?? fallback;
    return typeof value === 'string' ? value : this.#refuse(key, 'expected text', fallback);
  }

  choice<Choice extends string>(key: string, choices: readonly Choice[], fallback: Choice): Choice {
    const value = this.#config[key] ?? fallback;
    const chosen = choices.find((choice) => choice === value);
    return chosen ?? this.#refuse(key, `expected one of ${choices.join(', ')}`, fallback);
  }

  /** A number in that range; 0, which means off, is always one. */
  numberOrOff(key: string, { from, to }: NumberRange, fallback: number): number {
    const value = this.#config[key] ?? fallback;
    const isValid = typeof value === 'number' && (value === 0 || (value >= from && value <= to));
    return isValid ? value : this.#refuse(key, `expected a number from ${from} to ${to}, or 0 for none`, fallback);
  }

  result<Options>(options: Options): RouterOptions<Options> {
    return this.#problems.length === 0 ? { isValid: true, options } : { isValid: false, problems: this.#problems };
  }

  #refuse<Value>(key: string, expected: string, fallback: Value): Value {
    this.#problems.push({ key, expected });
    return fallback;
  }
}
