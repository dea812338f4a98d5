import { connectPeer } from './peer.js';
import type { Owner } from './scratch-directory.js';

interface Place {
  readonly port: number;
  readonly address: string;
}

/** A client that says nothing and ends: what it was told, or how it was turned away. */
export async function visit(owner: Owner, to: Place): Promise<string> {
  try {
    const peer = await connectPeer(owner, to);
    peer.socket.end();
    const { bytes, ending } = await peer.drain();
    return ending === 'end' ? String(bytes) : ending;
  } catch (error) {
    // The proxy may reset a client before this process has seen its connect succeed.
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return code;
  }
}

/** One after the other. */
export async function visitInTurn(owner: Owner, to: Place, clients: number): Promise<string[]> {
  const answers: string[] = [];
  for (let client = 0; client < clients; client++) answers.push(await visit(owner, to));
  return answers;
}

/** All at once. */
export function visitTogether(owner: Owner, to: Place, clients: number): Promise<string>[] {
  return Array.from({ length: clients }, () => visit(owner, to));
}

export function countOf(answers: readonly string[], answer: string): number {
  return answers.filter((each) => each === answer).length;
}
