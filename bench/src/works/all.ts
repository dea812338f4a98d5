/** Every work, in the order of the report. */
import type { Work } from '../model.js';
import { allOn } from './all-on.js';
import { balance } from './balance.js';
import { datagramWorks } from './datagram.js';
import { flood } from './flood.js';
import { http } from './http.js';
import { idleMemory } from './idle-memory.js';
import { remoteWorks } from './remote.js';
import { routeDecision, ruleMatch } from './route-decision.js';
import { rules } from './rules.js';
import { serverNameWorks } from './server-name.js';
import { startUp } from './start-up.js';
import { trafficWorks } from './traffic.js';

export const allWorks: readonly Work[] = [
  ...trafficWorks,
  ...remoteWorks,
  ...datagramWorks,
  ...serverNameWorks,
  rules,
  allOn,
  flood,
  idleMemory,
  http,
  startUp,
  balance,
  routeDecision,
  ruleMatch,
];
