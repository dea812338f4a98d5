/** Whether a run shows that the targets are reached. */
import type { Results } from './model.js';
import { median, medianOf, pairedDifferences, pairedRatio, pairedRatios, quartiles } from './statistics.js';
import { number } from './tables.js';
import {
  BOTH,
  differenceTargets,
  pairTargets,
  ratioTargets,
  valueTargets,
  type DifferenceTarget,
  type PairTarget,
  type RatioTarget,
  type Relation,
  type ValueTarget,
  type Variant,
} from './targets.js';

export interface Verdict {
  readonly figure: string;
  readonly wanted: string;
  /** The figure of this run, or '-' where it was not measured. */
  readonly reached: string;
  readonly isMet: boolean | undefined;
}

function isWithin(value: number, relation: Relation, bound: number): boolean {
  return relation === '≥' ? value >= bound : value <= bound;
}

function judge(values: readonly (number | undefined)[], relation: Relation, bound: number): boolean | undefined {
  if (values.length === 0 || values.includes(undefined)) return undefined;
  return values.every((value) => value !== undefined && isWithin(value, relation, bound));
}

/** Where other programs disturbed the run, the CPU of the bench's own processes tells more than that of the machine. */
function withOwnCpu(results: Results, target: RatioTarget, variant: Variant): string {
  if (target.key !== 'systemCpu') return '';
  const ofWork = results.get(target.work);
  const ratio = pairedRatio(ofWork?.get(`edgeproxy-${variant}`) ?? [], ofWork?.get(target.base) ?? [], 'ownCpu');
  return ratio === undefined ? '' : ` (own CPU ${number(ratio, 2)})`;
}

function ratioVerdict(results: Results, target: RatioTarget): Verdict {
  const variants = target.variants ?? BOTH;
  const ofWork = results.get(target.work);
  const base = ofWork?.get(target.base) ?? [];
  const ratios = variants.map((variant) => pairedRatio(ofWork?.get(`edgeproxy-${variant}`) ?? [], base, target.key));
  const texts = ratios.map((ratio, index) => {
    const variant = variants[index] ?? 'handoff';
    return ratio === undefined ? [] : [`${variant} ${number(ratio, 2)} ×${withOwnCpu(results, target, variant)}`];
  });
  return {
    figure: target.figure,
    wanted: `${target.relation} ${target.bound} × ${target.base}`,
    reached: texts.flat().join(', ') || '-',
    isMet: judge(ratios, target.relation, target.bound),
  };
}

function valueVerdict(results: Results, target: ValueTarget): Verdict {
  const ofWork = results.get(target.work);
  const values = target.rows.map((row) => medianOf(ofWork?.get(row) ?? [], target.key));
  const texts = values.flatMap((value, index) =>
    value === undefined
      ? []
      : [`${(target.rows[index] ?? '').replace('edgeproxy-', '')} ${number(value, target.digits)} ${target.unit}`],
  );
  return {
    figure: target.figure,
    wanted: `≤ ${number(target.bound, target.bound % 1 === 0 ? 0 : 1)} ${target.unit}`,
    reached: texts.join(', ') || '-',
    isMet: judge(values, '≤', target.bound),
  };
}

function spreadOf(values: readonly number[]): string {
  const half = quartiles(values);
  return half === undefined ? '' : ` (half of ${values.length} pairs ${half.map((q) => number(q, 2)).join('–')})`;
}

function differenceVerdict(results: Results, target: DifferenceTarget): Verdict {
  const { figure, work, key, unit, bound, base, rows } = target;
  const ofWork = results.get(work);
  const baseSamples = ofWork?.get(base.row) ?? [];
  const differences = rows.map(({ row }) => pairedDifferences(ofWork?.get(row) ?? [], baseSamples, key));
  const medians = differences.map(median);
  const texts = rows.flatMap(({ name }, index) => {
    const reached = medians[index];
    const spread = spreadOf(differences[index] ?? []);
    return reached === undefined ? [] : [`${name} ${reached < 0 ? '' : '+'}${number(reached, 2)} ${unit}${spread}`];
  });
  return {
    figure,
    wanted: `≤ ${bound} ${unit} more than ${base.name}`,
    reached: texts.join(', ') || '-',
    isMet: judge(medians, '≤', bound),
  };
}

function pairVerdict(results: Results, { figure, work, key, bound, base, pairs }: PairTarget): Verdict {
  const ofWork = results.get(work);
  const ratios = pairs.map((pair) => pairedRatios(ofWork?.get(pair.row) ?? [], ofWork?.get(pair.base) ?? [], key));
  const medians = ratios.map(median);
  const texts = pairs.flatMap(({ name }, index) => {
    const spread = spreadOf(ratios[index] ?? []);
    return medians[index] === undefined ? [] : [`${name} ${number(medians[index], 3)} ×${spread}`];
  });
  return {
    figure,
    wanted: `≤ ${bound} × ${base}`,
    reached: texts.join(', ') || '-',
    isMet: judge(medians, '≤', bound),
  };
}

export function judgeTargets(results: Results): Verdict[] {
  return [
    ...ratioTargets.map((target) => ratioVerdict(results, target)),
    ...differenceTargets.map((target) => differenceVerdict(results, target)),
    ...pairTargets.map((target) => pairVerdict(results, target)),
    ...valueTargets.map((target) => valueVerdict(results, target)),
  ];
}
