#!/usr/bin/env node
import { holdSignals, ignoreDebuggerSignal } from '../cluster/start-signals.js';

const argv = process.argv.slice(2);
const [word = 'start'] = argv;
// Other commands are ended by these signals, as any program is.
if (word === 'start' || word.startsWith('-')) {
  holdSignals();
  ignoreDebuggerSignal();
}
// Loaded only now: a signal that comes meanwhile is held.
const { runCli } = await import('./run-cli.js');
const exitCode = await runCli(argv);
// Not process.exit(): output that a pipe has not taken yet would be lost. A command may have set its own code.
if (exitCode !== 0) process.exitCode = exitCode;
