/** Resolves when `promise` has settled either way, but after `timeoutMs` in any case: for what cannot be ended by force. */
export async function settledWithin(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  await Promise.race([promise.catch(() => undefined), timeout]);
  clearTimeout(timer);
}
