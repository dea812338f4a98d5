/** HAProxy that also delays the first ACKs on both sides, so that they travel with data. */
import { haproxyFlavour } from './haproxy.js';

export const haproxySmart = haproxyFlavour({
  name: 'haproxy-smart',
  summary: 'the same with tcp-smart-accept and tcp-smart-connect',
  options: ['splice-auto', 'tcp-smart-accept', 'tcp-smart-connect'],
});
