/**
 * The proxy's series in Prometheus' text format. prom-client does the same for a few series; of 4,000 backends, which are
 * 88,000 lines, its way would take a third of a second (bench/metrics-scrape.bench.ts). Here whatever stands before a
 * value is made once, for as long as the backend is there.
 */
import {
  METRICS,
  type HistogramSample,
  type Labels,
  type MetricName,
  type Sample,
  type Samples,
} from '../../../application/metrics/metric-catalogue.js';
import { LabelMemory } from './label-memory.js';

/** Whoever has other business on the loop gets at it after so many samples: a few milliseconds. */
const SAMPLES_PER_PIECE = 1_000;

interface Family {
  /** The text of the samples from `first` to before `end`. */
  readonly lines: (samples: Samples[MetricName], first: number, end: number) => string;
  /** What is remembered of labels. */
  readonly prefixes: LabelMemory<unknown>;
}

/** Of a histogram's sample: what stands before each of its values. */
interface HistogramPrefixes {
  readonly buckets: readonly string[];
  readonly sum: string;
  readonly count: string;
}

export class SeriesText {
  readonly #families = (Object.keys(METRICS) as MetricName[]).map((name) => [name, familyOf(name)] as const);

  /** Pieces of the text; between two of them there is time for others. */
  *write(samples: Samples): Generator<string> {
    for (const [name, family] of this.#families) {
      const { help, type } = METRICS[name];
      yield `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
      const { length } = samples[name];
      for (let first = 0; first < length; first += SAMPLES_PER_PIECE)
        yield family.lines(samples[name], first, Math.min(first + SAMPLES_PER_PIECE, length));
      family.prefixes.forgetFrom(length);
    }
  }
}

function familyOf(name: MetricName): Family {
  const description = METRICS[name];
  if (!('buckets' in description)) {
    const prefixes = new LabelMemory((labels) => prefix(name, pairsOf(labels)));
    return {
      prefixes,
      lines: (samples, first, end) => valueLines(samples as readonly Sample[], first, end, prefixes),
    };
  }
  const { bounds, unit } = description.buckets;
  const les = [...bounds.map((bound) => `le="${bound / unit}"`), 'le="+Inf"'];
  const prefixes = new LabelMemory((labels): HistogramPrefixes => {
    const pairs = pairsOf(labels);
    const buckets = les.map((le) => prefix(`${name}_bucket`, [...pairs, le]));
    return { buckets, sum: prefix(`${name}_sum`, pairs), count: prefix(`${name}_count`, pairs) };
  });
  return {
    prefixes,
    lines: (samples, first, end) => histogramLines(samples as readonly HistogramSample[], first, end, prefixes, unit),
  };
}

function valueLines(samples: readonly Sample[], first: number, end: number, prefixes: LabelMemory<string>): string {
  let text = '';
  for (let at = first; at < end; at++) {
    const sample = samples[at];
    if (sample !== undefined) text += `${prefixes.of(at, sample.labels)}${sample.value}\n`;
  }
  return text;
}

/** What was observed up to a bound was observed up to all greater ones: here counts are added up. */
function histogramLines(
  samples: readonly HistogramSample[],
  first: number,
  end: number,
  prefixes: LabelMemory<HistogramPrefixes>,
  unit: number,
): string {
  let text = '';
  for (let at = first; at < end; at++) {
    const sample = samples[at];
    if (sample === undefined) continue;
    const { buckets, sum, count } = prefixes.of(at, sample.labels);
    let total = 0;
    for (let bucket = 0; bucket < buckets.length; bucket++) {
      total += sample.counts[bucket] ?? 0;
      text += `${buckets[bucket] ?? ''}${total}\n`;
    }
    text += `${sum}${sample.sum / unit}\n${count}${total}\n`;
  }
  return text;
}

function pairsOf(labels: Labels): readonly string[] {
  return Object.entries(labels).map(([key, value]) => `${key}="${escapeHelp(value).replaceAll('"', '\\"')}"`);
}

/** In one piece: a string that is put together is put together anew wherever it is copied to. */
function prefix(name: string, pairs: readonly string[]): string {
  return [name, ...(pairs.length === 0 ? [] : ['{', pairs.join(','), '}']), ' '].join('');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
