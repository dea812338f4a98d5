/** Where log lines go. */
export interface LineOutput {
  /** Bytes taken, which may be fewer; 0 where it has to be tried again, null where the output is gone for good. Never throws. */
  write(bytes: Buffer): number | null;
  /** When to try again, in milliseconds. */
  readonly retryMs: number;
  /** Idempotent. */
  close(): void;
}
