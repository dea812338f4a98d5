/** Upgrades of a running proxy: which primary is the latest, and what it says. All generations write to one log. */
import { eventually } from './eventually.js';
import type { LogLine } from './log-lines.js';
import { childPids } from './process-facts.js';
import type { ProxyProcess } from './proxy-process.js';

const READY_MS = 120_000;

/** Sends SIGUSR2 to the latest primary; resolves with the new one's pid when it takes clients and the old one drains. */
export async function upgrade(proxy: ProxyProcess): Promise<number> {
  const oldPid = latestPrimary(proxy);
  const draining = nextLine(proxy, 'the new version takes clients', oldPid);
  process.kill(oldPid, 'SIGUSR2');
  await draining;
  return latestPrimary(proxy);
}

/** Sends SIGUSR2 to the latest primary; resolves with why the new version failed. */
export async function failedUpgrade(proxy: ProxyProcess): Promise<LogLine> {
  const oldPid = latestPrimary(proxy);
  const failed = nextLine(proxy, 'the new version failed', oldPid);
  process.kill(oldPid, 'SIGUSR2');
  return failed;
}

/** Sends SIGUSR2 to the latest primary; resolves with the pid of the new one, which is only just starting. */
export async function beginUpgrade(proxy: ProxyProcess): Promise<number> {
  const starting = nextLine(proxy, 'SIGUSR2: starting the new version');
  process.kill(latestPrimary(proxy), 'SIGUSR2');
  return Number((await starting)['newPid']);
}

/** The last one that said that it is ready. */
export function latestPrimary(proxy: ProxyProcess): number {
  return Number(proxy.log.lines.findLast(({ msg }) => msg === 'edgeproxy is ready')?.['pid'] ?? proxy.pid);
}

/** The next line whose message begins so, from that process or from any. */
export function nextLine(proxy: ProxyProcess, beginning: string, fromPid?: number): Promise<LogLine> {
  return proxy.log.next(
    ({ pid, msg }) => (fromPid === undefined || pid === fromPid) && String(msg).startsWith(beginning),
    READY_MS,
  );
}

/** Waits until the primary has all its workers and nothing of former generations; resolves with the workers' pids. */
export async function settledWorkers(primary: number, count: number): Promise<number[]> {
  return eventually(`${primary} has ${count} children`, () => {
    const pids = childPids(primary);
    return pids.length === count && pids;
  });
}
