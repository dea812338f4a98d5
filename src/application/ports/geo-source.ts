/** A compiled geo database in a region of its own, ready to be handed to the workers. */
export interface GeoRegion {
  /** A memfd; whoever received the GeoRegion closes it through close(). */
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
  /** For the log: database type, build date, networks. */
  readonly description: string;
  close(): void;
}

export interface GeoSource {
  /**
   * The database where it has changed since the last successful call (always at the first), else null. Rejects with an
   * EdgeproxyError for as long as the file is missing, damaged or hostile; the caller keeps the one it has.
   */
  loadIfChanged(): Promise<GeoRegion | null>;
  close(): Promise<void>;
}
