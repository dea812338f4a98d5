/** The live page in a real Chromium, before a real proxy with real traffic. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { z } from 'zod';
import type { Backend, EventList, Stats, WorkerList } from '../../page/src/api-types.js';
import type { backendSchema } from '../../src/adapters/inbound/api/schemas/backend-schema.js';
import type { eventListSchema } from '../../src/adapters/inbound/api/schemas/event-schema.js';
import type { statsSchema } from '../../src/adapters/inbound/api/schemas/stats-schema.js';
import type { workerListSchema } from '../../src/adapters/inbound/api/schemas/worker-schema.js';
import { echo } from '../support/backend-behaviours.js';
import { openPage, startBrowser } from '../support/browser.js';
import { rowsOf } from '../support/database-rows.js';
import { refused } from '../support/dead-ends.js';
import { connectPeer } from '../support/peer.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 240_000 };
const TOKEN = 'a token of 32 characters, or more';
const HOSTILE = '<img src=x onerror=document.title=1>';

/** The page reads what the API's schemas say: these lines do not compile where they differ. */
type Sure<T extends true> = T;
export type Shapes = [
  Sure<z.output<typeof backendSchema> extends Omit<Backend, 'errors'> ? true : false>,
  Sure<z.output<typeof workerListSchema> extends WorkerList ? true : false>,
  Sure<z.output<typeof eventListSchema> extends EventList ? true : false>,
  Sure<Omit<z.output<typeof statsSchema>, 'connections'> extends Omit<Stats, 'connections'> ? true : false>,
];

let browser: Browser;
const file: { ends: (() => unknown)[] } & Owner = { ends: [], after: (end) => void file.ends.push(end) };

before(async () => {
  browser = await startBrowser(file);
});
after(async () => {
  for (const end of file.ends) await end();
});

async function startWithApi(t: TestContext, options: ProxyOptions): Promise<{ proxy: ProxyProcess; origin: string }> {
  const env = { EDGEPROXY_API_ENABLED: 'on', EDGEPROXY_API_LISTEN_ADDR: '127.0.0.1:0', ...options.env };
  const proxy = await startProxy(t, { ...options, env });
  const { address, port } = await proxy.waitForLog(({ msg }) => msg === 'the admin API is served');
  return { proxy, origin: `http://${String(address)}:${Number(port)}` };
}

function rowOf(page: Page, id: string) {
  return page.locator('table[data-region] tbody tr').filter({ hasText: id });
}

/** Waits until a cell of that row says so; every look of the page may bring it. */
async function saysOf(page: Page, id: string, text: string): Promise<void> {
  await rowOf(page, id).filter({ hasText: text }).waitFor();
}

describe('the live page', TIME_LIMIT, () => {
  it('asks for the token, and shows nothing to whoever has a wrong one', async (t) => {
    const { origin } = await startWithApi(t, { workers: 1, env: { EDGEPROXY_API_TOKEN: TOKEN } });
    const { page, faults } = await openPage(t, browser, origin);
    const field = page.getByLabel('API token');
    await field.fill('wrong');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByRole('alert').filter({ hasText: 'the token is not accepted' }).waitFor();
    assert.equal(await page.locator('main').isVisible(), false);
    await field.fill(TOKEN);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.locator('main').waitFor();
    await page.getByRole('status').filter({ hasText: 'up ' }).waitFor();
    // The tab keeps it, the page does not show it.
    await page.reload();
    await page.locator('main').waitFor();
    assert.ok(!(await page.content()).includes(TOKEN));
    assert.deepEqual(faults, []);
  });

  it('shows backends by region, workers, traffic and reasons, and asks nobody else', async (t) => {
    const backend = await startBackend(t, echo);
    const gone = await refused();
    const { proxy, origin } = await startWithApi(t, {
      workers: 2,
      backends: [
        { id: 'near', region: 'sa', country: 'BR', port: backend.port },
        { id: HOSTILE, region: 'eu', port: gone.port },
      ],
      env: { EDGEPROXY_HEALTH_CHECK_ENABLED: 'on', EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '0.2' },
    });
    const { page, foreign, faults } = await openPage(t, browser, origin);
    await saysOf(page, 'near', 'healthy');
    await saysOf(page, HOSTILE, 'unhealthy');
    const client = await connectPeer(t, proxy);
    await client.write('hello');
    await saysOf(page, 'near', '1 of ');
    const captions = await page.locator('table[data-region] caption').allTextContents();
    assert.deepEqual(captions, ['eu: 0 of 1 up, 0 connections', 'sa: 1 of 1 up, 1 connections']);
    assert.equal(await page.locator('#workers tbody tr').count(), 2);
    await page.locator('#events li').filter({ hasText: HOSTILE }).first().waitFor();
    client.close();
    await page.locator('#ended').getByText('finished').waitFor();
    // A line has been drawn from at least two looks.
    await page.locator('#plots path.first[d^="M"]').first().waitFor({ state: 'attached' });
    assert.deepEqual([foreign, faults], [[], []]);
    assert.equal(await page.locator('img').count(), 0);
  });

  it('drains and enables a backend by a button, for the proxy and in the database', async (t) => {
    const [one, two] = await Promise.all([startBackend(t, echo), startBackend(t, echo)]);
    const { proxy, origin } = await startWithApi(t, {
      workers: 1,
      backends: [
        { id: 'one', region: 'sa', port: one.port },
        { id: 'two', region: 'sa', port: two.port },
      ],
    });
    const { page } = await openPage(t, browser, origin);
    // Twice at the same place, where another row's button may be by then.
    const box = await page.getByRole('button', { name: 'drain one' }).boundingBox();
    assert.ok(box);
    await page.mouse.dblclick(box.x + box.width / 2, box.y + box.height / 2, { delay: 50 });
    await saysOf(page, 'one', 'draining');
    const draining = "SELECT draining FROM backends WHERE id = 'one'";
    assert.deepEqual(rowsOf(proxy.databasePath, draining), [{ draining: 1 }]);
    const client = await connectPeer(t, proxy);
    await client.write('x');
    await two.nextPeer();
    assert.equal(one.peers.length, 0);
    assert.equal(await rowOf(page, 'two').filter({ hasText: 'draining' }).count(), 0);
    await page.getByRole('button', { name: 'enable one' }).click();
    await page.getByRole('button', { name: 'drain one' }).waitFor();
    assert.deepEqual(rowsOf(proxy.databasePath, draining), [{ draining: 0 }]);
  });

  it('fits a phone, filters, and turns the pages of many backends', async (t) => {
    const port = (await refused()).port;
    const backends = Array.from({ length: 1150 }, (_, index) => ({ id: `b${String(index).padStart(4, '0')}`, port }));
    const { origin } = await startWithApi(t, { workers: 1, backends });
    const { page } = await openPage(t, browser, origin);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByText('1 to 500 of 1150').waitFor();
    const width = await page.evaluate('document.documentElement.scrollWidth');
    assert.equal(width, 360);
    await page.getByLabel('Filter the backends').fill('b0007');
    await rowOf(page, 'b0008').waitFor({ state: 'detached' });
    assert.equal(await page.locator('table[data-region] tbody tr').count(), 1);
    await page.getByLabel('Filter the backends').fill('');
    await page.getByRole('button', { name: 'next' }).click();
    await page.getByText('501 to 1000 of 1150').waitFor();
    await page.getByRole('button', { name: 'next' }).click();
    await page.getByText('1001 to 1150 of 1150').waitFor();
    assert.equal(await page.getByRole('button', { name: 'next' }).isVisible(), false);
  });

  it('says so when the proxy does not answer, keeps what it knew, and goes on', async (t) => {
    const { proxy, origin } = await startWithApi(t, {
      workers: 1,
      backends: [{ id: 'b', port: (await refused()).port }],
    });
    const { page } = await openPage(t, browser, origin);
    await rowOf(page, 'b').waitFor();
    process.kill(proxy.pid, 'SIGSTOP');
    await page.getByRole('status').filter({ hasText: 'no answer' }).waitFor();
    assert.equal(await rowOf(page, 'b').count(), 1);
    process.kill(proxy.pid, 'SIGCONT');
    await page.getByRole('status').filter({ hasText: 'up ' }).waitFor();
  });

  it('may be framed by nobody and is not answered to another host name', async (t) => {
    const { origin } = await startWithApi(t, { workers: 1 });
    const response = await fetch(`${origin}/`);
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/);
    const { port } = new URL(origin);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    assert.match(answer, /^HTTP\/1\.1 403 /);
  });
});
