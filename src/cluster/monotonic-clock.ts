/** CLOCK_MONOTONIC, as the kernel and the addon tell it. */
export function monotonicMicros(): bigint {
  return process.hrtime.bigint() / 1000n;
}

/** The clock that the relay gives to route(), CLOCK_MONOTONIC: whole seconds, and microseconds that wrap at 32 bits. */
export function monotonicNow(): { readonly secs: number; readonly micros: number } {
  const micros = monotonicMicros();
  return { secs: Number(micros / 1_000_000n), micros: Number(BigInt.asIntN(32, micros)) };
}
