/** HTTP statuses from `first` to `last`. */
export interface StatusRange {
  readonly first: number;
  readonly last: number;
}

const RANGE = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/;
const MAX_RANGES = 32;

/** `200,204,300-399` as ranges, or null where it is something else. */
export function parseStatusRanges(text: string): readonly StatusRange[] | null {
  const parts = text.split(',');
  if (parts.length > MAX_RANGES) return null;
  const ranges: StatusRange[] = [];
  for (const part of parts) {
    const [, first = '', last = first] = RANGE.exec(part) ?? [];
    if (first === '' || last < first) return null;
    ranges.push({ first: Number(first), last: Number(last) });
  }
  return ranges;
}

export function includesStatus(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(({ first, last }) => status >= first && status <= last);
}
