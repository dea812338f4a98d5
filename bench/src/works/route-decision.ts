/** The price of decisions: of a whole routing decision, each case in a process of its own, and of matching rules. */
import { microBenchmark } from './micro-benchmark.js';

export const routeDecision = microBenchmark({
  name: 'route',
  title: 'one routing decision for a new client, by mitata, geo look-up and binding included',
  script: 'route-decision.bench.ts',
  runs: [['0'], ['1'], ['2'], ['3']],
});

export const ruleMatch = microBenchmark({
  name: 'match',
  title: 'which rule a client is for, by mitata',
  script: 'rule-match.bench.ts',
  runs: [[]],
});
