/** Many connections from one address at once: most are turned away where rates are limited, and none may hurt anybody else. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const HOLD_MS = 300;

/** Resolves when all of them are gone. */
export async function flood(
  to: { readonly port: number; readonly address: string },
  count: number,
  from: string,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ port: to.port, host: to.address, localAddress: from });
      // Whatever becomes of it; the greeting of whoever gets through is not of interest.
      socket.on('error', () => undefined).resume();
      await delay(HOLD_MS);
      socket.resetAndDestroy();
    }),
  );
}
