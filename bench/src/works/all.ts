/** Every work, in the order of the report. */
import type { Work } from '../model.js';
import { trafficWorks } from './traffic.js';

export const allWorks: readonly Work[] = [...trafficWorks];
