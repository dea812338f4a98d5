/** What workers do to a breaker, in TypeScript: native/engine/breaker.cc as a model, one step at a time. */
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BACKEND, BREAKER_STATE, HEALTH_CONTROL } from '../../src/domain/shared/layout.js';

export function failBackend(region: ControlRegion, slot: number, isTrial = false): void {
  const { words, offsets } = region;
  const control = offsets.healthControl;
  const line = region.backendAt(slot);
  const threshold = Atomics.load(words, control + HEALTH_CONTROL.FAILURE_THRESHOLD);
  if (threshold === 0) return;
  const state = Atomics.load(words, line + BACKEND.BREAKER);
  if (state === BREAKER_STATE.CLOSED) {
    if (Atomics.load(words, line + BACKEND.FAILURES) < threshold) Atomics.add(words, line + BACKEND.FAILURES, 1);
    if (Atomics.load(words, line + BACKEND.FAILURES) >= threshold) openBreaker(region, slot);
  } else if (state === BREAKER_STATE.HALF_OPEN && isTrial) {
    Atomics.store(words, line + BACKEND.BREAKER, BREAKER_STATE.OPEN);
    Atomics.add(words, control + HEALTH_CONTROL.GENERATION, 1);
  }
}

/** Unless as many are open as may be. */
export function openBreaker(region: ControlRegion, slot: number): void {
  const { words, offsets } = region;
  const control = offsets.healthControl;
  if (
    Atomics.load(words, control + HEALTH_CONTROL.EJECTED) >= Atomics.load(words, control + HEALTH_CONTROL.MAX_EJECTED)
  )
    return;
  Atomics.add(words, control + HEALTH_CONTROL.EJECTED, 1);
  Atomics.store(words, region.backendAt(slot) + BACKEND.BREAKER, BREAKER_STATE.OPEN);
  Atomics.add(words, control + HEALTH_CONTROL.GENERATION, 1);
}

export function succeedTrial(region: ControlRegion, slot: number): void {
  const { words, offsets } = region;
  const control = offsets.healthControl;
  const line = region.backendAt(slot);
  if (Atomics.load(words, line + BACKEND.BREAKER) !== BREAKER_STATE.HALF_OPEN) return;
  const successes = Atomics.add(words, line + BACKEND.SUCCESSES, 1) + 1;
  if (successes >= Atomics.load(words, control + HEALTH_CONTROL.SUCCESS_THRESHOLD)) {
    Atomics.store(words, line + BACKEND.FAILURES, 0);
    Atomics.store(words, line + BACKEND.RAMP, Atomics.load(words, control + HEALTH_CONTROL.INITIAL_RAMP));
    Atomics.store(words, line + BACKEND.BREAKER, BREAKER_STATE.CLOSED);
    Atomics.sub(words, control + HEALTH_CONTROL.EJECTED, 1);
  }
  Atomics.add(words, control + HEALTH_CONTROL.GENERATION, 1);
}
