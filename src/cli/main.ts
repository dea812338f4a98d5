#!/usr/bin/env node
import { runCli } from './run-cli.js';

const exitCode = await runCli(process.argv.slice(2));
// Not process.exit(): output that a pipe has not taken yet would be lost. A command may have set its own code.
if (exitCode !== 0) process.exitCode = exitCode;
