import { pin } from './pin-parser.js';
import { DAY_SECS, type SomeSettings } from './setting.js';
import { filePath, onOff, orNone, seconds, wholeNumber } from './value-parser.js';

/** The life of the proxy itself: reload, upgrade, overload. */
export const OPERATION_SETTINGS = {
  isConfigWatchEnabled: {
    variable: 'EDGEPROXY_CONFIG_WATCH_ENABLED',
    toml: 'config_watch.enabled',
    appliesAt: 'reload',
    fallback: 'off',
    parser: onOff,
    description: 'the configuration file is applied when it changes',
  },
  configWatchIntervalSecs: {
    variable: 'EDGEPROXY_CONFIG_WATCH_INTERVAL_SECS',
    toml: 'config_watch.interval_secs',
    appliesAt: 'reload',
    fallback: '5',
    parser: seconds(0.1, DAY_SECS),
    description: 'how often it is looked at',
  },
  upgradeTimeoutSecs: {
    variable: 'EDGEPROXY_UPGRADE_TIMEOUT_SECS',
    toml: 'upgrade.timeout_secs',
    appliesAt: 'reload',
    fallback: '60',
    parser: seconds(1, DAY_SECS),
    description: 'how long the new version may take to start after SIGUSR2',
  },
  pidFile: {
    variable: 'EDGEPROXY_PID_FILE',
    toml: 'server.pid_file',
    appliesAt: 'start',
    fallback: 'none',
    parser: orNone(filePath),
    description: "file for the primary's pid: there while the proxy takes clients, the new version's after an upgrade",
  },
  pin: {
    variable: 'EDGEPROXY_PIN',
    toml: 'server.pin',
    appliesAt: 'start',
    flag: { name: '--pin', argument: 'CPUS' },
    fallback: 'off',
    parser: pin,
    description: 'the CPU that each worker stays on: auto gives one each of those that the process may use',
  },
  overloadLagMs: {
    variable: 'EDGEPROXY_OVERLOAD_LAG_MS',
    toml: 'overload.lag_ms',
    appliesAt: 'reload',
    fallback: '1000',
    parser: wholeNumber(0, 600_000),
    description: 'a worker whose loop lags by more milliseconds takes no new clients; 0 = off',
  },
  overloadMemoryMb: {
    variable: 'EDGEPROXY_OVERLOAD_MEMORY_MB',
    toml: 'overload.memory_mb',
    appliesAt: 'reload',
    fallback: '0',
    parser: wholeNumber(0, 1_000_000),
    description: 'a worker with more resident megabytes takes no new clients; 0 = off',
  },
  overloadDescriptorsPercent: {
    variable: 'EDGEPROXY_OVERLOAD_DESCRIPTORS_PERCENT',
    toml: 'overload.descriptors_percent',
    appliesAt: 'reload',
    fallback: '95',
    parser: wholeNumber(0, 100),
    description: 'a worker that has used this share of its descriptors takes no new clients; 0 = off',
  },
  watchdogSecs: {
    variable: 'EDGEPROXY_WATCHDOG_SECS',
    toml: 'overload.watchdog_secs',
    appliesAt: 'reload',
    fallback: '10',
    parser: seconds(0, DAY_SECS),
    description: 'a worker whose loop stands still for this long is replaced; 0 = off',
  },
} satisfies SomeSettings;
