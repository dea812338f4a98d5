/** HAProxy against floods as its documentation does it: a stick table of connection rates, refused before anything is allocated. */
import { haproxyFlavour } from './haproxy.js';

export const haproxyGuarded = haproxyFlavour({
  name: 'haproxy-guarded',
  summary: 'stick-table conn_rate(1s), tcp-request connection reject above 100/s of an address',
  works: ['flood'],
  options: ['splice-auto'],
  listener: [
    'stick-table type ip size 512k expire 10s store conn_rate(1s)',
    'tcp-request connection track-sc0 src',
    'tcp-request connection reject if { sc0_conn_rate gt 100 }',
  ],
});
