/** Looks at the proxy again and again and shows it, until somebody has seen enough. */
import { foreignMessage } from '../../../adapters/outbound/foreign-message.js';
import type { AdminClient } from '../admin-client.js';
import { askOverview, PATHS, readConnections } from '../answers.js';
import { cleanText } from '../clean-text.js';
import { frameOf, type TopState } from './frame.js';
import { pressKey, splitKeys } from './keys.js';
import type { Snapshot } from './rates.js';
import type { Screen } from './screen.js';
import { firstSortOf } from './views.js';

const FIRST_STATE: TopState = {
  view: 'backends',
  sortedBy: firstSortOf('backends'),
  isReversed: false,
  offset: 0,
  problem: null,
};

export class Top {
  readonly #client: Pick<AdminClient, 'get'>;
  readonly #intervalMs: number;
  readonly #screen: Screen;
  #state = FIRST_STATE;
  #before: Snapshot | null = null;
  #now: Snapshot | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;
  #onEnd: () => void = () => undefined;

  constructor(client: Pick<AdminClient, 'get'>, intervalMs: number, screen: Screen) {
    this.#client = client;
    this.#intervalMs = intervalMs;
    this.#screen = screen;
  }

  /** Resolves when it is over; rejects where the first look fails, and has touched no terminal then. */
  async run(): Promise<void> {
    this.#take(await this.#ask());
    const end = new Promise<void>((resolve) => (this.#onEnd = resolve));
    this.#screen.start({
      onKeys: (input) => splitKeys(input).forEach((key) => this.#press(key)),
      onResize: () => this.#draw(),
      onLost: () => this.#onEnd(),
    });
    this.#draw();
    this.#timer = setInterval(() => void this.#look(), this.#intervalMs);
    await end;
    clearInterval(this.#timer);
    this.#screen.close();
  }

  #press(key: string): void {
    const outcome = pressKey(this.#state, key);
    if (outcome === null) return;
    if (outcome === 'quit') return this.#onEnd();
    if (outcome === 'suspend') return this.#screen.suspend();
    const isOtherView = outcome.view !== this.#state.view;
    this.#state = outcome;
    this.#draw();
    // Connections are asked for only while they are shown.
    if (isOtherView) void this.#look();
  }

  /** One at a time, however slow the answers are. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      this.#take(await this.#ask());
      this.#state = { ...this.#state, problem: null };
    } catch (error) {
      this.#state = { ...this.#state, problem: cleanText(foreignMessage(error)) };
    }
    this.#isLooking = false;
    this.#draw();
  }

  async #ask(): Promise<Snapshot> {
    const isWanted = this.#state.view === 'connections';
    const [overview, connections] = await Promise.all([
      askOverview(this.#client),
      isWanted ? this.#client.get(PATHS.connections) : null,
    ]);
    const list = connections === null ? null : readConnections(connections);
    return { ...overview, connections: list, timeMs: performance.now() };
  }

  #take(snapshot: Snapshot): void {
    this.#before = this.#now;
    this.#now = snapshot;
  }

  #draw(): void {
    if (this.#now === null) return;
    this.#screen.draw(frameOf(this.#before, this.#now, this.#state, this.#screen.size));
  }
}
