import { listenAddress } from './listen-address.js';
import { DAY_SECS, type SomeSettings } from './setting.js';
import { matching, onOff, seconds } from './value-parser.js';

export const METRICS_SETTINGS = {
  isMetricsEnabled: {
    variable: 'EDGEPROXY_METRICS_ENABLED',
    toml: 'metrics.enabled',
    appliesAt: 'start',
    fallback: 'off',
    parser: onOff,
    description: 'metrics are served to Prometheus',
  },
  metricsListen: {
    variable: 'EDGEPROXY_METRICS_LISTEN_ADDR',
    toml: 'metrics.bind',
    appliesAt: 'start',
    fallback: '0.0.0.0:9090',
    parser: listenAddress,
    description: 'where they are served',
  },
  metricsPath: {
    variable: 'EDGEPROXY_METRICS_PATH',
    toml: 'metrics.path',
    appliesAt: 'start',
    fallback: '/metrics',
    parser: matching(/^\/[!-"$->@-~]{0,254}$/, 'a path that begins with / and has no blanks, ? or #'),
    description: 'under which path',
  },
  metricsCollectSecs: {
    variable: 'EDGEPROXY_METRICS_COLLECT_INTERVAL_SECS',
    toml: 'metrics.collect_interval',
    appliesAt: 'reload',
    fallback: '10',
    parser: seconds(0.1, DAY_SECS),
    description: 'how often values are gathered that take long to gather: bindings; others are read when asked for',
  },
} satisfies SomeSettings;
