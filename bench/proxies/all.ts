/** Every proxy that the bench knows, in the order of the report. */
import type { ProxyDefinition } from '../src/model.js';
import { direct } from './direct.js';
import { edgeproxyAllOn } from './edgeproxy-all-on.js';
import { edgeproxyHandoff } from './edgeproxy-handoff.js';
import { edgeproxyPool } from './edgeproxy-pool.js';
import { edgeproxyReuseport } from './edgeproxy-reuseport.js';
import { edgeproxyRules } from './edgeproxy-rules.js';
import { edgeproxyHandoffGuarded, edgeproxyReuseportGuarded } from './edgeproxy-guarded.js';
import { haproxyGuarded } from './haproxy-guarded.js';
import { haproxySplice } from './haproxy-splice.js';
import { haproxySmart } from './haproxy-smart.js';
import { haproxy } from './haproxy.js';
import { nginxBulk } from './nginx-bulk.js';
import { nginxGuarded } from './nginx-guarded.js';
import { nginx } from './nginx.js';
import { nodePipe } from './node-pipe.js';

export const allProxies: readonly ProxyDefinition[] = [
  direct,
  haproxy,
  haproxySmart,
  haproxySplice,
  nginx,
  nginxBulk,
  nodePipe,
  edgeproxyReuseport,
  edgeproxyHandoff,
  edgeproxyPool,
  ...edgeproxyAllOn,
  ...edgeproxyRules,
  haproxyGuarded,
  nginxGuarded,
  edgeproxyReuseportGuarded,
  edgeproxyHandoffGuarded,
];
