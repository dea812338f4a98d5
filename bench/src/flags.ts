/** The command line of the bench. */
import { parseArgs } from 'node:util';

export interface Flags {
  readonly works: readonly string[] | undefined;
  readonly proxies: readonly string[] | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  /** Also as a page of HTML beside the JSON. */
  readonly isReport: boolean;
  readonly isCheck: boolean;
  readonly isHelp: boolean;
}

export const USAGE = `usage: npm run bench -- [flags]
  --works a,b      only these works            --proxies a,b    only these proxies
  --rounds N       rounds (default 5)          --seconds S      length of one measurement (default 1)
  --quick          2 rounds of 0.5 s           --json FILE      also write the results there
  --markdown FILE  write the tables as Markdown
  --report         also write one HTML page with plots, beside the results
  --check          exit code 1 when a target is missed or something failed`;

const DEFAULT = { rounds: 5, seconds: 1 };
const QUICK = { rounds: 2, seconds: 0.5 };

function list(text: string | undefined): readonly string[] | undefined {
  return text
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function positive(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a positive number, not '${text ?? ''}'`);
  return value;
}

export function parseFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      works: { type: 'string' },
      proxies: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      report: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const fallback = values.quick ? QUICK : DEFAULT;
  return {
    works: list(values.works),
    proxies: list(values.proxies),
    rounds: Math.ceil(positive('rounds', values.rounds, fallback.rounds)),
    seconds: positive('seconds', values.seconds, fallback.seconds),
    json: values.json,
    markdown: values.markdown,
    isReport: values.report,
    isCheck: values.check,
    isHelp: values.help,
  };
}
