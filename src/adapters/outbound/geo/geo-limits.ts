/**
 * What a geo database may cost. Real ones stay far below: the largest City databases have some 150 MB, 8 million nodes
 * and records of 250 values; a hostile one is refused at the first of these it exceeds.
 */
export interface GeoLimits {
  readonly maxFileBytes: number;
  /** Nodes of the search tree. */
  readonly maxNodes: number;
  /** Size of the compiled region. */
  readonly maxRegionBytes: number;
  /** Values that one record decodes to, pointers followed. */
  readonly maxRecordValues: number;
  /** Maps and arrays inside each other. */
  readonly maxRecordDepth: number;
  /** Bytes of one string or byte field. */
  readonly maxTextBytes: number;
  /** From handing the file to the thread until the region is complete. */
  readonly loadTimeoutMs: number;
  /** JavaScript heap of the loading thread. */
  readonly maxHeapMb: number;
}

export const DEFAULT_GEO_LIMITS: GeoLimits = {
  maxFileBytes: 1 << 30,
  maxNodes: 1 << 25,
  maxRegionBytes: 1 << 29,
  maxRecordValues: 4096,
  maxRecordDepth: 32,
  maxTextBytes: 1 << 16,
  loadTimeoutMs: 120_000,
  maxHeapMb: 512,
};
