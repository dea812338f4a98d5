/** Debian's Chromium, driven by Playwright: one for a file of tests, a page of its own for each test. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Owner } from './scratch-directory.js';

const PROGRAM = '/usr/bin/chromium';
/** A busy machine takes its time to start a browser; nothing here is a measurement. */
const PATIENCE_MS = 60_000;
const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Debian's containers have a small /dev/shm.
  '--disable-dev-shm-usage',
];

export interface WatchedPage {
  readonly page: Page;
  /** What the page has asked for that is not of its own origin. */
  readonly foreign: readonly string[];
  /** Errors of scripts, and everything that its content policy refused. */
  readonly faults: readonly string[];
}

export async function startBrowser(owner: Owner): Promise<Browser> {
  assert.ok(existsSync(PROGRAM), `${PROGRAM} is missing: apt-get install chromium`);
  const browser = await chromium.launch({ executablePath: PROGRAM, args: SWITCHES, timeout: PATIENCE_MS });
  owner.after(() => browser.close());
  return browser;
}

export async function openPage(owner: Owner, browser: Browser, origin: string): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  owner.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const foreign: string[] = [];
  const faults: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) foreign.push(url);
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  await page.goto(`${origin}/`);
  return { page, foreign, faults };
}
