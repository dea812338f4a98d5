/** One listening socket per worker. */
import { edgeproxyWith } from './edgeproxy.js';

export const edgeproxyReuseport = edgeproxyWith('reuseport');
