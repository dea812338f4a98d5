import { fstatSync, statSync } from 'node:fs';
import { DescriptorOutput } from '../log/descriptor-output.js';
import type { LineOutput } from '../log/line-output.js';
import { LogFile, type LogFileOptions } from '../log/log-file.js';
import type { AccessLogOutput } from './access-log-messages.js';

/** Where the lines go. */
export interface OpenOutput {
  readonly output: LineOutput;
  /** Null where it is no file of its own. */
  readonly file: LogFile | null;
  /** Most bytes of whole lines in one write. */
  readonly chunkBytes: number;
  readonly retryMs: number;
}

const STANDARD: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };
/** Writes of so many bytes are atomic in a pipe (PIPE_BUF): the log of the primary, or that of another version, may go there too. */
const PIPE_BYTES = 4096;
const FILE_BYTES = 65_536;
/** A pipe that is full empties soon. */
const PIPE_RETRY_MS = 50;

/** Throws EP_LOG_FILE where the file cannot be opened. */
export function openOutput(
  { target, maxBytes, maxFiles }: AccessLogOutput,
  options: Pick<LogFileOptions, 'tryLock' | 'onTrouble'>,
): OpenOutput {
  const fd = STANDARD[target];
  if (fd !== undefined) return opened(new DescriptorOutput(fd), null, fstatSync(fd).isFile());
  const file = new LogFile({ ...options, path: target, maxBytes, maxFiles, nowMs: () => performance.now() });
  return opened(file, file, statSync(target, { throwIfNoEntry: false })?.isFile() ?? true);
}

function opened(output: LineOutput, file: LogFile | null, isFile: boolean): OpenOutput {
  const chunkBytes = isFile ? FILE_BYTES : PIPE_BYTES;
  return { output, file, chunkBytes, retryMs: isFile ? output.retryMs : PIPE_RETRY_MS };
}
