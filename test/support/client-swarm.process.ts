/** The child of ClientSwarm: holds thousands of plain sockets and does with all of them what the parent says. */
import { connect, type Socket } from 'node:net';
import type { SwarmCommand, SwarmReport } from './client-swarm.js';

/** Connects under way at the same time: fewer than a listening socket's queue holds. */
const WAVE = 256;
const sockets: Socket[] = [];

process.on('message', (command: SwarmCommand) => {
  const done = (succeeded: number): void => void process.send?.({ succeeded } satisfies SwarmReport);
  void run(command).then(done);
});
process.on('disconnect', () => process.exit());

async function run(command: SwarmCommand): Promise<number> {
  switch (command.type) {
    case 'connect':
      return connectAll(command.count, command.port);
    case 'exchange':
      return countTrue(
        await Promise.all(
          sockets.map((socket, index) => exchange(socket, `${process.pid}:${index}:${command.round}\n`)),
        ),
      );
    case 'leave':
      return countTrue(
        await Promise.all(sockets.splice(0).map((socket, index) => leave(socket, index % 2 === 0 && command.mayReset))),
      );
  }
}

async function connectAll(count: number, port: number): Promise<number> {
  let next = 0;
  const connectSome = async (): Promise<void> => {
    while (next < count) {
      const socket = await connectOne(port, `127.0.1.${1 + (next++ % 200)}`);
      if (socket !== null) sockets.push(socket);
    }
  };
  await Promise.all(Array.from({ length: WAVE }, connectSome));
  return sockets.length;
}

function connectOne(port: number, localAddress: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.once('connect', () => resolve(socket));
    socket.on('error', () => resolve(null));
  });
}

/** True when exactly what was sent comes back. */
function exchange(socket: Socket, message: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const onData = (bytes: Buffer): void => {
      answer += bytes.toString('latin1');
      if (answer.length >= message.length) finish();
    };
    const finish = (): void => {
      socket.off('data', onData).off('close', finish);
      resolve(answer === message);
    };
    socket.on('data', onData).once('close', finish);
    socket.write(message);
  });
}

/** True when the socket ends as it should. */
function leave(socket: Socket, isReset: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('close', (hadError) => resolve(!hadError));
    if (isReset) socket.resetAndDestroy();
    else socket.resume().end();
  });
}

function countTrue(results: readonly boolean[]): number {
  return results.filter(Boolean).length;
}
