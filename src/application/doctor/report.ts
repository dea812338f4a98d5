/** Findings as people, programs and sysctl(8) read them. */
import type { Finding } from './check.js';

const STATE_WIDTH = 9;

export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length)) + 2;
  const indent = ' '.repeat(STATE_WIDTH);
  const lines = findings.flatMap(({ state, check, found, wanted, why, command }) => {
    const line = `${state.padEnd(STATE_WIDTH)}${check.padEnd(width)}${found}`;
    if (state !== 'mend' && state !== 'hint') return [line];
    return [line, `${indent}wanted: ${wanted}`, `${indent}why:    ${why}`, `${indent}do:     ${command ?? '-'}`];
  });
  return [...lines, '', summary(findings), ''].join('\n');
}

export function formatJson(findings: readonly Finding[]): string {
  return `${JSON.stringify(findings, null, 2)}\n`;
}

/** A file for /etc/sysctl.d, with what is not as wanted. */
export function formatSysctls(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ state, check, found, sysctl }) =>
    sysctl === undefined ? [] : [`# ${check} (${state}), was: ${found}`, `${sysctl.name} = ${sysctl.value}`],
  );
  const head = '# /etc/sysctl.d/90-edgeproxy.conf: what `edgeproxy doctor` found not to be as wanted.';
  return [head, ...(lines.length === 0 ? ['# Nothing.'] : lines), ''].join('\n');
}

function summary(findings: readonly Finding[]): string {
  const count = (state: string): number => findings.filter((finding) => finding.state === state).length;
  return `${count('mend')} to mend, ${count('hint')} hints, ${count('unknown')} unknown, ${count('ok')} fine`;
}
