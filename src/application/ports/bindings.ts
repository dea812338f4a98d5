/** A client's way back to its backend. */
export interface BindingInfo {
  /** Of the client and its listener, hashed: addresses are not kept. */
  readonly key: string;
  /** Id; null of one that is known no more. */
  readonly backend: string | null;
  readonly slot: number;
  readonly expiresInSecs: number;
}

/** Whose bindings are meant; all of them where nothing is said. */
export interface BindingFilter {
  readonly backend?: string;
  /** Four words, as parseIpAddress gives them. */
  readonly client?: Uint32Array;
}

export interface BindingPage {
  readonly bindings: readonly BindingInfo[];
  /** null behind the last page. */
  readonly next: number | null;
}

export interface Bindings {
  /** `from` is 0 or `next` of the page before. A page may be empty and have a next one. */
  list(filter: BindingFilter, from: number, limit: number): Promise<BindingPage>;
  /** Returns how many there were. New ones may be made meanwhile. */
  remove(filter: BindingFilter): Promise<number>;
}
