/** The live page: asks the API as long as somebody looks, and shows what it says. */
import { ApiClient, TokenNeeded } from './api-client.js';
import type { BackendChange } from './api-types.js';
import { BackendView, PAGE_SIZE } from './backend-view.js';
import { element, part } from './element.js';
import { History } from './history.js';
import { Overview } from './overview.js';

const LOOK_MS = 1_000;
/** Backends, workers and events are asked for once in so many looks. */
const SLOW_LOOKS = 2;
const MOST_WAIT_MS = 15_000;
const SAID_MS = 8_000;

const client = new ApiClient();
const history = new History();
const overview = new Overview();
const backends = new BackendView(
  (id, change) => void changeBackend(id, change),
  () => void showBackends().catch(say),
);
let looks = 0;
let failures = 0;
let timer: number | undefined;

async function look(): Promise<void> {
  try {
    if (!document.hidden) await showAll();
    failures = 0;
    schedule(LOOK_MS);
  } catch (error) {
    if (error instanceof TokenNeeded) return askForToken();
    failures += 1;
    lost(error);
    schedule(Math.min(LOOK_MS * 2 ** failures, MOST_WAIT_MS));
  }
}

/** One at a time, also where two looks end after each other. */
function schedule(delayMs: number): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void look(), delayMs);
}

async function showAll(): Promise<void> {
  const stats = await client.stats();
  const nowMs = performance.now();
  history.add(stats, nowMs);
  part('sign-in', HTMLFormElement).hidden = true;
  part('view', HTMLElement).hidden = false;
  overview.showStats(stats, history, nowMs);
  if (looks++ % SLOW_LOOKS !== 0) return;
  const [, { workers }, { events }] = await Promise.all([showBackends(), client.workers(), client.events()]);
  overview.showWorkers(workers);
  overview.showEvents(events);
}

async function showBackends(): Promise<void> {
  backends.show(await client.backends(backends.offset, PAGE_SIZE));
}

async function changeBackend(id: string, change: BackendChange): Promise<void> {
  try {
    await client.change(id, change);
  } catch (error) {
    say(error);
  }
  await showBackends().catch(say);
}

/** What is on the page stays: it is what was known last. */
function lost(error: unknown): void {
  const state = part('state', HTMLElement);
  state.textContent = `no answer: ${reasonOf(error)}`;
  state.className = 'lost';
}

function say(error: unknown): void {
  const place = part('said', HTMLElement);
  place.replaceChildren(element('span', {}, reasonOf(error)));
  place.hidden = false;
  window.setTimeout(() => (place.hidden = true), SAID_MS);
}

function reasonOf(error: unknown): string {
  if (error instanceof TokenNeeded) return 'the token is not accepted';
  return error instanceof Error ? error.message : String(error);
}

function askForToken(): void {
  if (client.hasToken) say(new TokenNeeded());
  client.useToken('');
  part('view', HTMLElement).hidden = true;
  part('sign-in', HTMLFormElement).hidden = false;
  part('state', HTMLElement).textContent = 'a token is needed';
  part('token', HTMLInputElement).focus();
}

part('sign-in', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const input = part('token', HTMLInputElement);
  client.useToken(input.value.trim());
  input.value = '';
  void look();
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void look();
});
void look();
