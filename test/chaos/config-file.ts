/** The proxy's configuration file, which SIGHUP reads again: always another one that is good, and now and then one that is not. */
import { writeFileSync } from 'node:fs';

const BAD = [
  '[connect]\nretries = "many"\n',
  '[connect\n',
  '[conect]\nretries = 2\n',
  '[access]\ndeny_cidrs = ["127.0.3.0/99"]\n',
  '',
] as const;

/** `choice` decides what is in it; 0 is what a run begins and ends with. */
export function writeGoodConfig(path: string, choice: number): void {
  const lines = [
    '[connect]',
    `retries = ${choice % 4}`,
    '[timeouts]',
    `idle_secs = ${60 + choice}`,
    '[circuit_breaker]',
    `trials = ${1 + (choice % 5)}`,
    '[pool]',
    `max_per_backend = ${1 + (choice % 20)}`,
    '[relay]',
    `splice = ${choice % 2 === 0}`,
    '[access]',
    // Never without any, which takes a region of memory: the end is compared with the start.
    `deny_cidrs = [${choice % 3 === 1 ? '"127.0.3.0/24"' : '"192.0.2.0/24"'}]`,
    '',
  ];
  writeFileSync(path, lines.join('\n'));
}

/** One with a wrong value, syntax, key or network; or an empty one, which is good. */
export function writeBadConfig(path: string, choice: number): void {
  writeFileSync(path, BAD[choice % BAD.length] ?? '');
}
