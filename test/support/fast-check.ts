/**
 * fast-check, with the same values in every run: a run judges a change, and not its luck. TEST_SEED=<number> tries others, as
 * whoever writes an algorithm or a property does many times.
 */
import fc from 'fast-check';

const SEED = 20_251_120;

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['TEST_SEED'] ?? SEED) });

export { fc };
