/**
 * Standard output and error for commands that print and end. `edgeproxy backend list | head` closes the pipe early: then
 * no more output is wanted, which is no failure. Opened on first use only, because opening process.stdout makes a
 * shared pipe non-blocking for everybody, and a serving proxy writes nothing but its log.
 */
export function standardOutput(): NodeJS.WriteStream {
  return withoutBrokenPipe(process.stdout);
}

export function standardError(): NodeJS.WriteStream {
  return withoutBrokenPipe(process.stderr);
}

function withoutBrokenPipe(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (stream.listenerCount('error') === 0) stream.on('error', ignoreBrokenPipe);
  return stream;
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
