export type ReloadOutcome =
  /** Keys of the configuration whose new value is in force, and of those that keep the old one until the next start. */
  | { readonly isApplied: true; readonly changed: readonly string[]; readonly waiting: readonly string[] }
  /** Sentences for people. */
  | { readonly isApplied: false; readonly problems: readonly string[] };

/** Takes the configuration and the databases as they are now into force. */
export interface Reloader {
  reload(): Promise<ReloadOutcome>;
}
