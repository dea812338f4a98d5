/** Every work, in the order of the report. */
import type { Work } from '../model.js';
import { balance } from './balance.js';
import { http } from './http.js';
import { idleMemory } from './idle-memory.js';
import { routeDecision } from './route-decision.js';
import { startUp } from './start-up.js';
import { trafficWorks } from './traffic.js';

export const allWorks: readonly Work[] = [...trafficWorks, idleMemory, http, startUp, balance, routeDecision];
