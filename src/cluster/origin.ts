import type { HandedOver } from './service-manager/handed-over.js';
import type { Inheritance } from './upgrade/inheritance.js';

/** Who has started this process, and with what. */
export interface Origin {
  /** Null where it was no older version. */
  readonly inheritance: Inheritance | null;
  readonly handedOver: HandedOver;
}
