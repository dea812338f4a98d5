/**
 * An acceptor in this process with a control region and the channels of workers that never read: what is handed to them
 * is seen in their ACTIVE. Everything is closed when the owner ends.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { loadNativeAddon, type NativeAcceptor } from '../../src/adapters/outbound/native/native-addon.js';
import { initialiseRegion, regionBytes, type ControlRegion } from '../../src/domain/shared/control-region.js';
import { LAYOUT_HASH, WORKER } from '../../src/domain/shared/layout.js';
import type { Owner } from './scratch-directory.js';

const native = loadNativeAddon();

export interface AcceptorRig {
  readonly acceptor: NativeAcceptor;
  readonly region: ControlRegion;
  readonly listener: { readonly fd: number; readonly port: number };
  /** Gives the worker a new channel. */
  up(index: number): void;
  active(index: number): number;
  clients(count: number): Promise<Socket[]>;
}

export function controlRegion(owner: Owner, workers: number): { region: ControlRegion; buffer: SharedArrayBuffer } {
  const capacity = { workers, backends: 2, bindingSets: 16, rateSets: 16, clientSets: 16 };
  const { fd, buffer } = native.createRegion('edge-rig', regionBytes(capacity));
  owner.after(() => native.closeFd(fd));
  return { buffer, region: initialiseRegion(buffer, capacity, [1, 2, 3, 4]) };
}

export function startAcceptor(owner: Owner, { workers = 2, maxConnections = 1000 } = {}): AcceptorRig {
  const { region, buffer } = controlRegion(owner, workers);
  const acceptor = new native.Acceptor({
    region: buffer,
    layoutHash: LAYOUT_HASH,
    maxConnectionsPerWorker: maxConnections,
    coalesceMicros: 150,
  });
  const listener = native.bind({ address: '127.0.0.1', port: 0, isReusePort: false });
  native.listen(listener.fd, 1024);
  owner.after(() => {
    acceptor.close();
    native.closeFd(listener.fd);
  });
  acceptor.addListener(0, listener.fd);
  return {
    acceptor,
    region,
    listener,
    up: (index) => {
      const ends = native.createChannel();
      acceptor.workerUp(index, ...ends);
      for (const fd of ends) native.closeFd(fd);
    },
    active: (index) => Atomics.load(region.words, region.workerAt(index) + WORKER.ACTIVE),
    clients: (count) => Promise.all(Array.from({ length: count }, () => connectClient(owner, listener.port))),
  };
}

async function connectClient(owner: Owner, port: number): Promise<Socket> {
  const client = connect(port, '127.0.0.1');
  // An acceptor that ends resets those that it still holds.
  client.on('error', () => undefined);
  owner.after(() => {
    client.destroy();
  });
  await once(client, 'connect');
  return client;
}
