import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Results, Sample, Work } from '../../bench/src/model.js';
import { htmlReport } from '../../bench/src/page/html-report.js';
import { Progress } from '../../bench/src/progress.js';
import { jsonReport, type Report } from '../../bench/src/report.js';

const HOSTILE = `</script><script>alert('1')</script>`;

const work = {
  name: 'connect',
  title: `connect ${HOSTILE}`,
  columns: [
    { key: 'rate', title: 'connection/s', better: 'higher', digits: 0 },
    { key: 'cpu', title: 'CPU µs', better: 'lower', digits: 1 },
    { key: 'peakMb', title: 'peak MB', digits: 1 },
  ],
} as unknown as Work;

function rounds(...figures: readonly Readonly<Record<string, number>>[]): Sample[] {
  return figures.map((figure, round) => ({ round, figures: figure, errors: {} }));
}

const results: Results = new Map([
  [
    'connect',
    new Map([
      ['haproxy', rounds({ rate: 1000, cpu: 10, peakMb: 5 }, { rate: 1200, cpu: 12, peakMb: 5 })],
      ['edgeproxy-handoff', rounds({ rate: 3000, cpu: 20, peakMb: 50 }, { rate: 3600, cpu: 24, peakMb: 50 })],
    ]),
  ],
]);

const report: Report = {
  command: 'npm run bench -- --report',
  startedAt: '2026-01-01T00:00:00.000Z',
  tookSeconds: 10,
  rounds: 2,
  seconds: 1,
  machine: {
    cpu: 'a CPU',
    cpus: 2,
    memoryGb: 4,
    kernel: '6.1',
    node: 'v20',
    commit: 'abc',
    versions: { haproxy: '2.6' },
  },
  notes: ['a note'],
  works: [work],
  results,
  verdicts: [{ figure: 'a figure', wanted: '≥ 1', reached: '3', isMet: true }],
};

describe('the report page of the bench', () => {
  const page = htmlReport(report);

  it('shows machine, versions, targets, notes and every proxy of a work', () => {
    for (const text of [
      '2 × a CPU, 4 GB, Linux 6.1',
      'haproxy',
      '2.6',
      'a figure',
      '≥ 1',
      'a note',
      'edgeproxy-handoff',
    ])
      assert.ok(page.includes(text), text);
  });

  it('tells how much better each figure is than the rival’s, whichever direction is better', () => {
    const plot = page.slice(
      page.indexOf('against haproxy'),
      page.indexOf('</figure>', page.indexOf('against haproxy')),
    );
    assert.match(plot, /connection\/s, edgeproxy-handoff.*?3\.00 ×/s);
    assert.match(plot, /CPU µs, edgeproxy-handoff.*?0\.50 ×/s);
    assert.doesNotMatch(plot, /peak MB/);
  });

  it('carries every round as JSON, which nothing in it can end', () => {
    const [, json = ''] = /<script type="application\/json" id="results">(.*?)<\/script>/s.exec(page) ?? [];
    assert.deepEqual(JSON.parse(json), JSON.parse(jsonReport(report)));
  });

  it('asks for nothing from elsewhere and lets no text become markup', () => {
    assert.doesNotMatch(page, /(src|href)="(?!#)/);
    assert.doesNotMatch(page, /@import|url\(/);
    assert.ok(!page.includes(HOSTILE));
    assert.equal(page.split('<script').length - 1, 2);
  });

  it('says so where a work was not measured', () => {
    assert.match(htmlReport({ ...report, results: new Map() }), /Not measured in this run/);
  });
});

describe('the progress of the bench', () => {
  function terminal(isTTY: boolean): {
    readonly isTTY: boolean;
    readonly columns: number;
    text: string;
    write(text: string): void;
  } {
    return {
      isTTY,
      columns: 200,
      text: '',
      write(text) {
        this.text += text;
      },
    };
  }

  it('shows the share that is done, the time that is left and what is measured', () => {
    const out = terminal(true);
    let nowMs = 0;
    const progress = new Progress(out, 4, () => nowMs);
    nowMs = 10_000;
    progress.show(1, 0, 'echo');
    assert.match(out.text, /25 % ~30 s left · echo$/);
    nowMs = 300_000;
    progress.show(2, 0, 'idle');
    assert.match(out.text, /50 % ~5 min left · idle$/);
  });

  it('keeps the bar below the lines that stay, and takes it away at the end', () => {
    const out = terminal(true);
    const progress = new Progress(out, 1, () => 0);
    progress.show(0, 0, 'echo');
    const bar = out.text;
    out.text = '';
    progress.print('a line');
    assert.equal(out.text, `\r\u001b[Ka line\n${bar.slice('\r\u001b[K'.length)}`);
    out.text = '';
    progress.end();
    progress.print('the last');
    assert.equal(out.text, '\r\u001b[Kthe last\n');
  });

  it('writes lines alone where there is no terminal', () => {
    const out = terminal(false);
    const progress = new Progress(out, 1, () => 0);
    progress.show(0, 0.5, 'echo');
    progress.print('a line');
    progress.end();
    assert.equal(out.text, 'a line\n');
  });
});
