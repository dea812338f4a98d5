/** A run as one HTML page that needs nothing else: machine, versions, targets, plots and tables of each work, raw JSON. */
import type { Sample, Work } from '../model.js';
import { jsonReport, machineLine, tablesOf, verdictRows, type Report } from '../report.js';
import { RATIO_BASES, type Row } from '../tables.js';
import { figurePlot } from './figure-plot.js';
import { dataElement, element, Markup, type Content } from './markup.js';
import { rivalPlot } from './rival-plot.js';
import { STYLE } from './style.js';

/** Shows the JSON that the page carries when it is asked for, rather than in the markup a second time. */
const SCRIPT = `
const json = document.getElementById('results').textContent;
document.getElementById('raw').addEventListener('toggle', ({ target }) => { target.querySelector('pre').textContent = json; }, { once: true });
document.getElementById('save').href = URL.createObjectURL(new Blob([json], { type: 'application/json' }));
`;

export function htmlReport(report: Report): string {
  const page = element(
    'html',
    { lang: 'en' },
    element('head', {}, headOf()),
    element('body', {}, [
      element('h1', {}, 'edgeproxy bench'),
      summaryOf(report),
      element('h2', {}, 'Targets'),
      table(verdictRows(report.verdicts), 'left'),
      element(
        'nav',
        {},
        report.works.map(({ name }) => element('a', { href: `#${name}` }, name)),
      ),
      report.works.map((work) =>
        section(work, report.results.get(work.name) ?? new Map<string, readonly Sample[]>(), report),
      ),
      rawData(report),
    ]),
  );
  return `<!doctype html>\n${page.text}\n`;
}

function headOf(): Content {
  return [
    element('meta', { charset: 'utf-8' }),
    element('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    element('title', {}, 'edgeproxy bench'),
    new Markup(`<style>${STYLE}</style>`),
  ];
}

function summaryOf(report: Report): Content {
  const versions = Object.entries(report.machine.versions).map(([name, version]) => [name, version] as const);
  return [
    element('p', {}, machineLine(report)),
    element('p', {}, element('code', {}, report.command)),
    element('details', {}, element('summary', {}, 'Versions'), table([['proxy', 'version'], ...versions], 'left')),
    element(
      'ul',
      {},
      report.notes.map((note) => element('li', {}, note)),
    ),
    element(
      'p',
      {},
      'Bars are medians of the rounds, dots are rounds. Ratios are taken round by round, between neighbours in time.',
    ),
  ];
}

function section(work: Work, results: ReadonlyMap<string, readonly Sample[]>, report: Report): Content {
  const rivals = RATIO_BASES.flatMap((rival) => rivalPlot(work, results, rival) ?? []);
  const figures = work.columns.flatMap((column) => figurePlot(column, results) ?? []);
  return [
    element('h2', { id: work.name }, work.name),
    element('p', {}, work.title),
    figures.length === 0 ? element('p', {}, 'Not measured in this run.') : '',
    element('div', { class: 'plots' }, [...rivals, ...figures]),
    element(
      'details',
      {},
      element('summary', {}, 'Tables'),
      tablesOf(work, report.results).map((rows) => table(rows)),
    ),
  ];
}

function table(rows: readonly Row[], kind = ''): Markup {
  const [head = [], ...body] = rows;
  const line = (name: 'th' | 'td', row: Row): Markup =>
    element(
      'tr',
      {},
      row.map((cell) => element(name, cell === 'yes' || cell === 'NO' ? { class: cell } : {}, cell)),
    );
  const parts = [
    element('thead', {}, line('th', head)),
    element(
      'tbody',
      {},
      body.map((row) => line('td', row)),
    ),
  ];
  return element('div', { class: 'scroll' }, element('table', { class: kind }, parts));
}

function rawData(report: Report): Content {
  return [
    element('h2', { id: 'data' }, 'Data'),
    element(
      'p',
      {},
      element('a', { id: 'save', download: 'edgeproxy-bench.json', href: '#data' }, 'Save every round as JSON'),
    ),
    element('details', { id: 'raw' }, element('summary', {}, 'Show it'), element('pre', {})),
    dataElement('results', jsonReport(report)),
    new Markup(`<script>${SCRIPT}</script>`),
  ];
}
