import type { Owner } from './scratch-directory.js';
import { startBackend } from './tcp-backend.js';
import { udpPeer } from './udp-peer.js';

/** Free for TCP and UDP a moment ago; for programs that cannot be asked which one they got. */
export async function freePort(owner: Owner): Promise<number> {
  const tcp = await startBackend(owner);
  await tcp.stopListening();
  const udp = await udpPeer(owner, { port: tcp.port });
  await udp.close();
  return tcp.port;
}
