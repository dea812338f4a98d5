/** The clock that the relay gives to route(), CLOCK_MONOTONIC: whole seconds, and microseconds that wrap at 32 bits. */
export function monotonicNow(): { readonly secs: number; readonly micros: number } {
  const micros = process.hrtime.bigint() / 1000n;
  return { secs: Number(micros / 1_000_000n), micros: Number(BigInt.asIntN(32, micros)) };
}
