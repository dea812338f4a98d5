/** The default: the primary accepts and hands over. */
import { edgeproxyWith } from './edgeproxy.js';

export const edgeproxyHandoff = edgeproxyWith('handoff');
