/**
 * HAProxy told to splice always, through 1 MiB pipes. In TCP mode the `auto` of splice-auto never starts to splice (strace shows
 * recv and send only, version 2.6), so this is the strongest HAProxy for bulk; small messages cost it a quarter more than plain.
 */
import { haproxyFlavour } from './haproxy.js';

export const haproxySplice = haproxyFlavour({
  name: 'haproxy-splice',
  summary: 'splice-request, splice-response and 1 MiB pipes instead of splice-auto',
  works: ['download', 'upload'],
  globals: ['tune.pipesize 1048576'],
  options: ['splice-request', 'splice-response'],
});
