/** HAProxy with the pipes that this machine likes best; not in the default run. */
import { haproxyFlavour } from './haproxy.js';

export const haproxyPipes = haproxyFlavour({
  name: 'haproxy-pipes',
  summary: 'the same as haproxy with tune.pipesize 1048576',
  globals: ['tune.pipesize 1048576'],
});
