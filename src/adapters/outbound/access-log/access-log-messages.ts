/** What the primary tells the thread that writes the access log. */
import type { AccessLogFormat } from '../../../domain/access-log/access-lines.js';
import type { RotationLimits } from '../log/rotation.js';

export interface AccessLogOutput extends RotationLimits {
  /** `stdout`, `stderr` or a file. */
  readonly target: string;
  readonly format: AccessLogFormat;
}

/** At its birth. */
export interface AccessLogThreadData {
  readonly region: SharedArrayBuffer;
  readonly output: AccessLogOutput;
}

export type NameKind = 'listener' | 'rule' | 'backend';

export type ToAccessLogThread =
  | { readonly type: 'output'; readonly output: AccessLogOutput }
  /** Numbers and what they are called from `sinceUs` on, of CLOCK_MONOTONIC. */
  | {
      readonly type: 'names';
      readonly kind: NameKind;
      readonly names: readonly (readonly [number: number, name: string])[];
      readonly sinceUs: number;
    }
  | { readonly type: 'geo'; readonly region: SharedArrayBuffer }
  /** The file may have been moved away. */
  | { readonly type: 'reopen' }
  /** Write what is there, as far as that can be done at once, and end. */
  | { readonly type: 'end' };

/** The other way: what is wrong with the file, once for each trouble. */
export interface FromAccessLogThread {
  readonly trouble: string;
}
