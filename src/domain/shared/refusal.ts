import { REJECT_REASONS, type RejectReason } from './layout.js';

/** What RESPONSE.SLOT holds for a client that is turned away: below 0, so that no slot is meant. */
export function refusal(reason: RejectReason): number {
  return -1 - REJECT_REASONS.indexOf(reason);
}
