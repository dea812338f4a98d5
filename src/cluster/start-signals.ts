/**
 * Signals that come while the proxy starts: by default they end the process. They are held from the first line of the
 * program, which is why this module imports nothing, until somebody can answer them.
 */
const HELD: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGUSR2'];

/**
 * Node.js opens its debugger at SIGUSR1, to anybody on this host, and other servers reopen their logs: here it does nothing. Only
 * a handler of our own keeps it from that.
 */
export function ignoreDebuggerSignal(): void {
  process.on('SIGUSR1', () => undefined);
}

const came = new Set<NodeJS.Signals>();

export function holdSignals(): void {
  for (const signal of HELD) process.on(signal, hold);
}

/** `answer` is called at each such signal from here on, and at once where one has come. */
export function answerSignal(signal: NodeJS.Signals, answer: () => void): void {
  // In this order: without a handler in between, the signal would end the process.
  process.on(signal, answer);
  process.off(signal, hold);
  if (came.delete(signal)) answer();
}

function hold(signal: NodeJS.Signals): void {
  came.add(signal);
}
