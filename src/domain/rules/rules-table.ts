/**
 * Which rule a client is for. Lookups of ports and networks allocate nothing; that of a server name makes strings, that of a
 * custom rule an object.
 */
import { GeoTable } from '../geo/geo-table.js';
import { REQUEST } from '../shared/batch-layout.js';
import type { ListenerProgram, RuleStep } from './rule-programs.js';
import type { CompiledRule, RulesText } from './rules-region.js';
import { describeClient, isKnown, type ClientMatcher } from './rule-client.js';
import { ServerNames } from './server-names.js';

export interface RulesTableOptions {
  /** The arrays that the relay writes, see REQUEST and NAME_BYTES. */
  readonly requests: Int32Array;
  readonly names: Uint8Array;
  /** The function of a custom rule; undefined where there is none: it matches nobody. */
  readonly matcherOf: (rule: CompiledRule) => ClientMatcher | undefined;
  /** Told when a function throws, or returns what is no boolean. */
  readonly onFailure: (rule: CompiledRule, reason: unknown) => void;
}

/** Finds the first rule of one step that matches, or -1. */
interface Step {
  match(request: number): number;
}

interface Program {
  readonly port: number;
  readonly steps: readonly Step[];
  /** What the steps find from here on is not reached. */
  readonly end: number;
  /** The rule that everybody else is for, or -1. */
  readonly otherwise: number;
}

export class RulesTable {
  readonly rules: readonly CompiledRule[];
  /** By listener id. */
  readonly #programs: (Program | undefined)[] = [];
  readonly #requests: Int32Array;

  /** `text` is what readRules() found in the region. Throws EP_GEO_REGION where a trie is not one of this build. */
  constructor(region: SharedArrayBuffer, text: RulesText, options: RulesTableOptions) {
    this.rules = text.rules;
    this.#requests = options.requests;
    const makers = { tcp: new StepMaker(region, text, options), udp: new StepMaker(region, text, options) };
    for (const listener of text.programs.listeners) {
      this.#programs[listener.id] = programOf(text, listener, (step) => makers[listener.protocol].make(step, listener));
    }
  }

  /** The port that the client of a request has connected to; 0 where its listener is not known. */
  portOf(request: number): number {
    return this.#programs[this.#requests[request + REQUEST.LISTENER] ?? 0]?.port ?? 0;
  }

  /** Whether these rules were made for the listener of a request; one that is newer than they are is not known. */
  knows(request: number): boolean {
    return this.#programs[this.#requests[request + REQUEST.LISTENER] ?? 0] !== undefined;
  }

  /** Index of the first rule that matches the client of a request, or -1. */
  match(request: number): number {
    const program = this.#programs[this.#requests[request + REQUEST.LISTENER] ?? 0];
    if (program === undefined) return -1;
    const { steps, end, otherwise } = program;
    for (let index = 0; index < steps.length; index++) {
      const rule = steps[index]?.match(request) ?? -1;
      if (rule >= 0) return rule < end ? rule : otherwise;
    }
    return otherwise;
  }
}

function programOf(text: RulesText, listener: ListenerProgram, make: (step: RuleStep) => Step): Program {
  const { protocol, end } = listener;
  const steps = text.programs[protocol].filter(({ first }) => first < end).map(make);
  return { port: listener.port, steps, end, otherwise: end < text.rules.length ? end : -1 };
}

/** Makes each step once for all listeners of a protocol, but for those that tell the listener's name. */
class StepMaker {
  readonly #region: SharedArrayBuffer;
  readonly #text: RulesText;
  readonly #options: RulesTableOptions;
  readonly #made = new Map<RuleStep, Step>();

  constructor(region: SharedArrayBuffer, text: RulesText, options: RulesTableOptions) {
    this.#region = region;
    this.#text = text;
    this.#options = options;
  }

  make(step: RuleStep, listener: ListenerProgram): Step {
    if (step.kind === 'custom') return new CustomStep(this.#ruleAt(step.first), step.first, listener, this.#options);
    const made = this.#made.get(step) ?? this.#makeShared(step);
    this.#made.set(step, made);
    return made;
  }

  #makeShared(step: Exclude<RuleStep, { kind: 'custom' }>): Step {
    const { requests, names } = this.#options;
    if (step.kind === 'names') return new NamesStep(new ServerNames(step.rules), requests, names);
    const trie = new GeoTable(this.#region, this.#text.tries[step.trie] ?? 0, this.#text.rules.length);
    if (step.kind === 'source') return new AddressStep(trie, requests, REQUEST.ADDRESS);
    return new DestinationStep(trie, requests);
  }

  #ruleAt(index: number): CompiledRule {
    const rule = this.#text.rules[index];
    if (rule === undefined) throw new RangeError(`rule ${index} of ${this.#text.rules.length}`);
    return rule;
  }
}

class AddressStep implements Step {
  readonly #trie: GeoTable;
  readonly #requests: Int32Array;
  /** First word of the address in a request. */
  readonly #wordsAt: number;

  constructor(trie: GeoTable, requests: Int32Array, wordsAt: number) {
    this.#trie = trie;
    this.#requests = requests;
    this.#wordsAt = wordsAt;
  }

  match(request: number): number {
    const requests = this.#requests;
    const at = request + this.#wordsAt;
    return this.#trie.countryOf(requests[at] ?? 0, requests[at + 1] ?? 0, requests[at + 2] ?? 0, requests[at + 3] ?? 0);
  }
}

/** The address that the client came to, where that is known. */
class DestinationStep implements Step {
  readonly #address: AddressStep;
  readonly #requests: Int32Array;

  constructor(trie: GeoTable, requests: Int32Array) {
    this.#address = new AddressStep(trie, requests, REQUEST.DESTINATION);
    this.#requests = requests;
  }

  match(request: number): number {
    return isKnown(this.#requests, request + REQUEST.DESTINATION) ? this.#address.match(request) : -1;
  }
}

class NamesStep implements Step {
  readonly #serverNames: ServerNames;
  readonly #requests: Int32Array;
  readonly #names: Uint8Array;

  constructor(serverNames: ServerNames, requests: Int32Array, names: Uint8Array) {
    this.#serverNames = serverNames;
    this.#requests = requests;
    this.#names = names;
  }

  match(request: number): number {
    return this.#serverNames.match(this.#requests, this.#names, request);
  }
}

class CustomStep implements Step {
  readonly #rule: CompiledRule;
  readonly #index: number;
  readonly #listener: ListenerProgram;
  readonly #options: RulesTableOptions;
  readonly #matcher: ClientMatcher | undefined;

  constructor(rule: CompiledRule, index: number, listener: ListenerProgram, options: RulesTableOptions) {
    this.#rule = rule;
    this.#index = index;
    this.#listener = listener;
    this.#options = options;
    this.#matcher = options.matcherOf(rule);
  }

  match(request: number): number {
    const { requests, names, onFailure } = this.#options;
    try {
      const answer = this.#matcher?.(describeClient(requests, names, request, this.#listener)) ?? false;
      if (typeof answer !== 'boolean')
        onFailure(this.#rule, new TypeError(`returned ${typeof answer}, not true or false`));
      return answer === true ? this.#index : -1;
    } catch (error) {
      onFailure(this.#rule, error);
      return -1;
    }
  }
}
