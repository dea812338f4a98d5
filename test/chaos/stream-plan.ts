/** What one client does, and what it asks its backend to do: a function of (seed, stream). */
import { Dice } from './dice.js';

/** When the backend answers: at once, when it has all bytes, or when it has the client's end too. */
export type ResponseOrder = 'together' | 'after-bytes' | 'after-end';

export interface StreamPlan {
  readonly id: number;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly order: ResponseOrder;
  /** Says nothing before it has the backend's greeting. */
  readonly isServerFirst: boolean;
  /** Header, content and terminator in separate small writes. */
  readonly isInPieces: boolean;
  /** Before it says anything, and again in the middle. */
  readonly idleMs: number;
  /** Between two writes of the client, two reads of the client, two writes of the backend. */
  readonly upPaceMs: number;
  readonly readPaceMs: number;
  readonly downPaceMs: number;
  /** What the client does after `leaveAt` bytes of its upload instead of ending: RST, or FIN too early. */
  readonly leave: 'end' | 'reset' | 'close';
  readonly leaveAt: number;
  /** The backend has been told that the client may end too early. */
  readonly mayCutUp: boolean;
  /** The backend resets after that many bytes of content. */
  readonly resetAt: number | null;
}

export function planStream(seed: string, id: number): StreamPlan {
  const dice = new Dice(`${seed} stream ${id}`);
  const upBytes = drawBytes(dice);
  const downBytes = drawBytes(dice);
  const leave = dice.pickWeighted({ end: 88, reset: 7, close: 5 });
  return {
    id,
    upBytes,
    downBytes,
    order: dice.pick(['together', 'after-bytes', 'after-end']),
    isServerFirst: dice.chance(15),
    isInPieces: dice.chance(20),
    idleMs: dice.chance(10) ? dice.between(100, 3000) : 0,
    upPaceMs: drawPaceMs(dice),
    readPaceMs: drawPaceMs(dice),
    downPaceMs: drawPaceMs(dice),
    leave,
    leaveAt: dice.below(upBytes + 1),
    mayCutUp: leave === 'close',
    resetAt: dice.chance(6) ? dice.below(downBytes + 1) : null,
  };
}

/** As many bytes in both directions at once, without a pause and to the end. */
export function plainStream(id: number, bytes: number): StreamPlan {
  return {
    ...{ id, upBytes: bytes, downBytes: bytes, order: 'together', isServerFirst: false, isInPieces: false },
    ...{ idleMs: 0, upPaceMs: 0, readPaceMs: 0, downPaceMs: 0 },
    ...{ leave: 'end', leaveAt: 0, mayCutUp: false, resetAt: null },
  };
}

/** Mostly small; now and then enough to be spliced and to fill every buffer on the way. */
function drawBytes(dice: Dice): number {
  switch (dice.pickWeighted({ none: 5, tiny: 35, short: 35, long: 20, bulk: 5 })) {
    case 'none':
      return 0;
    case 'tiny':
      return dice.between(1, 256);
    case 'short':
      return dice.between(257, 64 << 10);
    case 'long':
      return dice.between(64 << 10, 1 << 20);
    case 'bulk':
      return dice.between(1 << 20, 12 << 20);
  }
}

function drawPaceMs(dice: Dice): number {
  return dice.chance(15) ? dice.between(1, 30) : 0;
}
