import { SocketProber } from '../../src/adapters/outbound/health/socket-prober.js';
import { describeProber } from './prober-suite.js';

describeProber('SocketProber', () => new SocketProber());
