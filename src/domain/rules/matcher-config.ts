/** What a rule asks of a client. */
export type MatcherConfig =
  | { readonly type: 'any' }
  /** Of the address that the client connected to: the listener's. */
  | { readonly type: 'port'; readonly port: number }
  /** Both inclusive. */
  | { readonly type: 'port_range'; readonly start: number; readonly end: number }
  /** Canonical CIDR notation. */
  | { readonly type: 'source_ip' | 'destination_ip'; readonly cidrs: readonly string[] }
  /**
   * Names in lower case, of which `*.` may be the first label: any name below, not that one itself; `*` is every client with
   * TLS, with a name or without. With protocols, one of those that the client offers must be among them. Without names, the
   * protocols alone decide.
   */
  | { readonly type: 'sni'; readonly names: readonly string[]; readonly alpn: readonly string[] }
  /** A file whose default export makes the function of `config`. `revision` changes with what is in the file. */
  | { readonly type: 'custom'; readonly file: string; readonly revision: string; readonly config: unknown };
