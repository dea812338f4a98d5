/** Reads a TOML file. Loaded only where a configuration file is given: who has none need not wait for the parser. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { foreignMessage } from '../../outbound/foreign-message.js';
import { TomlLines, type TomlPath } from './toml-lines.js';

export interface TomlDocument {
  readonly path: string;
  readonly root: TomlTable;
  lineOf(key: TomlPath): number;
}

/** A file that cannot be used is an expected outcome: a sentence for people, with the file's name. */
export type TomlResult =
  { readonly isValid: true; readonly document: TomlDocument } | { readonly isValid: false; readonly problem: string };

/** Room for two lists of 100,000 networks each, and far more than that. */
const LARGEST_BYTES = 16 << 20;

export async function readToml(path: string): Promise<TomlResult> {
  const read = await readText(path);
  if ('reason' in read) return { isValid: false, problem: `${path}: ${read.reason}` };
  try {
    // A number that is too large for JavaScript is out of its setting's range, not a fault of the syntax.
    const root = parse(read.text, { integersAsBigInt: 'asNeeded' });
    const lines = new TomlLines(read.text);
    return { isValid: true, document: { path, root, lineOf: (key) => lines.lineOf(key) } };
  } catch (error) {
    return { isValid: false, problem: syntaxProblem(path, error) };
  }
}

type Read = { readonly text: string } | { readonly reason: string };

async function readText(path: string): Promise<Read> {
  let file: FileHandle | null = null;
  try {
    // Non-blocking: opening a pipe that nobody writes to would wait for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isDirectory()) return { reason: 'is a directory, not a configuration file' };
    // A reload reads it again, which only a file can be.
    if (!stats.isFile()) return { reason: 'is not a regular file' };
    const bytes = await readUpTo(file, LARGEST_BYTES + 1);
    if (bytes.length > LARGEST_BYTES) return { reason: `is larger than ${LARGEST_BYTES} bytes` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { reason: 'is not UTF-8' };
    return { reason: `cannot be read (${foreignMessage(error)})` };
  } finally {
    await file?.close();
  }
}

async function readUpTo(file: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.alloc(most);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, most - length);
    length += bytesRead;
    if (bytesRead === 0 || length === most) return buffer.subarray(0, length);
  }
}

function syntaxProblem(path: string, error: unknown): string {
  if (!(error instanceof TomlError)) throw error;
  const [sentence = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
  return `${path}:${error.line}:${error.column}: not valid TOML: ${sentence}`;
}
