/**
 * Sorting into buckets without allocating: count each element, sum the counts up to starts, take the next place of the
 * element's bucket. `starts` has one word more than there are buckets.
 */

/** Counts one more in a bucket; the count stands one place further on, so that sumUp() makes it a start. */
export function countInto(starts: Int32Array, bucket: number): void {
  starts[bucket + 1] = (starts[bucket + 1] ?? 0) + 1;
}

/** Makes counts starts; returns the total. */
export function sumUp(starts: Int32Array): number {
  let total = 0;
  for (let bucket = 0; bucket < starts.length; bucket++) {
    total += starts[bucket] ?? 0;
    starts[bucket] = total;
  }
  return total;
}

export function takeNext(next: Int32Array, bucket: number): number {
  const place = next[bucket] ?? 0;
  next[bucket] = place + 1;
  return place;
}
