/** What the service manager is told, and what it is not told before the proxy is ready. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Logger } from '../../src/application/ports/logger.js';
import { ServiceManager } from '../../src/cluster/service-manager/service-manager.js';

function rig(): { readonly manager: ServiceManager; readonly told: string[] } {
  const told: string[] = [];
  const native = { sendNotification: (_socket: string, text: string) => void told.push(text.split('\n')[0] ?? '') };
  return { manager: new ServiceManager({ native, socket: '@x', watchdogMs: null, logger: {} as Logger }), told };
}

describe('the service manager', () => {
  it('hears of a reload once the proxy is ready, and not that it is ready because of one', async () => {
    const { manager, told } = rig();
    await manager.reloading(Promise.resolve());
    assert.deepEqual(told, []);
    manager.ready('1 workers', () => true);
    await manager.reloading(Promise.resolve());
    assert.deepEqual(told, ['READY=1', 'RELOADING=1', 'READY=1']);
  });

  it('does not hear of the end of a reload that began before the proxy was ready', async () => {
    const { manager, told } = rig();
    let end: () => void = () => undefined;
    const reloading = manager.reloading(new Promise<void>((resolve) => (end = resolve)));
    manager.ready('1 workers', () => true);
    end();
    await reloading;
    assert.deepEqual(told, ['READY=1']);
  });
});
