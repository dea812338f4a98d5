/** The id of a connection as users see it: `worker-life-index-generation`, UDP sessions with a `u` before the index. */
export interface ConnectionId {
  readonly worker: number;
  /** Which of the workers that have had this place. */
  readonly life: number;
  readonly isUdp: boolean;
  readonly index: number;
  /** Which of the connections that have had this index. */
  readonly generation: number;
}

const FORM = /^(\d{1,3})-([0-9a-f]{8})-(u?)(\d{1,10})-(\d{1,10})$/;
const MOST = 0xffff_ffff;

export function formatConnectionId({ worker, life, isUdp, index, generation }: ConnectionId): string {
  return `${worker}-${life.toString(16).padStart(8, '0')}-${isUdp ? 'u' : ''}${index}-${generation}`;
}

/** null where it is no id: nothing but what formatConnectionId writes is one. */
export function parseConnectionId(text: string): ConnectionId | null {
  const [, worker, life = '', udp, index, generation] = FORM.exec(text) ?? [];
  const id: ConnectionId = {
    worker: Number(worker),
    life: parseInt(life, 16),
    isUdp: udp === 'u',
    index: Number(index),
    generation: Number(generation),
  };
  if (id.index > MOST || id.generation > MOST) return null;
  return formatConnectionId(id) === text ? id : null;
}
