import type { Peer } from './peer.js';
import type { Owner } from './scratch-directory.js';
import { startBackend, type TcpBackend } from './tcp-backend.js';

/** `answer`: says its name and ends. `reset`: before its first byte. `hold`: says nothing until answerHeld(). */
export type Mood = 'answer' | 'reset' | 'hold';

/** A backend whose conduct a test changes while it runs. */
export class MoodyBackend {
  mood: Mood;
  readonly name: string;
  readonly tcp: TcpBackend;
  readonly #held: Peer[];

  private constructor(name: string, mood: Mood, tcp: TcpBackend, held: Peer[]) {
    this.name = name;
    this.mood = mood;
    this.tcp = tcp;
    this.#held = held;
  }

  static async start(owner: Owner, name: string, mood: Mood): Promise<MoodyBackend> {
    const held: Peer[] = [];
    let self: MoodyBackend | null = null;
    const tcp = await startBackend(owner, (peer) => {
      const now = self?.mood ?? mood;
      if (now === 'reset') return peer.reset();
      if (now === 'hold') held.push(peer);
      else speak(peer, name);
    });
    self = new MoodyBackend(name, mood, tcp, held);
    return self;
  }

  /** Connections so far. */
  get visits(): number {
    return this.tcp.peers.length;
  }

  get port(): number {
    return this.tcp.port;
  }

  /** Answers whom it holds and, from now on, everybody. */
  answerHeld(): void {
    this.mood = 'answer';
    for (const peer of this.#held.splice(0)) speak(peer, this.name);
  }
}

function speak({ socket }: Peer, name: string): void {
  socket.resume();
  socket.end(name);
}
