/** A service manager's end of NOTIFY_SOCKET. Node.js has no Unix datagram sockets, so Python holds it. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { killAtExit } from './live-processes.js';
import { LogLines } from './log-lines.js';
import { program } from './program.js';
import { scratchDirectory, type Owner } from './scratch-directory.js';

/** Prints a line for each datagram: who sent it, as the kernel says, and its text. */
const SCRIPT = `
import json, socket, struct, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps({"pid": 0, "text": ""}), flush=True)
while True:
    text, ancillary, _, _ = receiver.recvmsg(65536, 256)
    pid = struct.unpack("3i", ancillary[0][2][:12])[0]
    print(json.dumps({"pid": pid, "text": text.decode()}), flush=True)
`;

export interface Notification {
  readonly pid: number;
  /** By their names, in the order in which they came. */
  readonly words: Readonly<Record<string, string>>;
}

export class NotifyReceiver {
  /** For NOTIFY_SOCKET. */
  readonly name: string;
  readonly #lines: LogLines;

  constructor(name: string, lines: LogLines) {
    this.name = name;
    this.#lines = lines;
  }

  static async start(owner: Owner, kind: 'path' | 'abstract' = 'path'): Promise<NotifyReceiver> {
    const path = join(await scratchDirectory(owner), 'notify');
    const name = kind === 'path' ? path : `@edgeproxy-test-${randomUUID()}`;
    const child = spawn(program('python3', 'python3'), ['-c', SCRIPT, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (child.pid !== undefined) killAtExit(child.pid);
    owner.after(() => void child.kill('SIGKILL'));
    const lines = new LogLines(child.stdout);
    await lines.waitFor(({ pid }) => pid === 0);
    return new NotifyReceiver(name, lines);
  }

  /** Everything so far. */
  get all(): readonly Notification[] {
    return this.#lines.lines.slice(1).map(notificationOf);
  }

  /** The next one from now on that fits. */
  async next(predicate: (notification: Notification) => boolean): Promise<Notification> {
    return notificationOf(await this.#lines.next((line) => predicate(notificationOf(line)), 60_000));
  }

  /** The first one that has this word, past or future. */
  async first(word: string): Promise<Notification> {
    return notificationOf(await this.#lines.waitFor((line) => word in notificationOf(line).words, 60_000));
  }
}

function notificationOf({ pid, text }: Readonly<Record<string, unknown>>): Notification {
  const pairs = String(text)
    .split('\n')
    .map((line) => line.split('='))
    .map(([name = '', ...value]) => [name, value.join('=')] as const);
  return { pid: Number(pid), words: Object.fromEntries(pairs) };
}
