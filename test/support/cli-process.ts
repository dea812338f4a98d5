/**
 * A process that runs edgeproxy commands one after the other and tells what each wrote and ended with: starting a process for
 * each costs half a second. Asked over IPC with the arguments.
 */
import { runCli } from '../../src/cli/run-cli.js';

export interface CliAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function capture(stream: NodeJS.WriteStream): () => string {
  const written: string[] = [];
  const write = stream.write.bind(stream);
  stream.write = (chunk: string | Uint8Array): boolean => {
    written.push(chunk.toString());
    return true;
  };
  return () => {
    stream.write = write;
    return written.join('');
  };
}

process.on('message', (argv: readonly string[]) => {
  const stdout = capture(process.stdout);
  const stderr = capture(process.stderr);
  void runCli(argv).then((code) => {
    const answer: CliAnswer = { code, stdout: stdout(), stderr: stderr() };
    process.send?.(answer);
  });
});
