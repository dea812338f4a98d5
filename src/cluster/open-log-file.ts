import { writeSync } from 'node:fs';
import { LogFile } from '../adapters/outbound/log/log-file.js';
import type { RotationLimits } from '../adapters/outbound/log/rotation.js';
import { loadNativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { ProxyConfig } from '../application/proxy-config.js';

const MEGABYTE = 1_000_000;
const STANDARD_ERROR = 2;

export function rotationOf({ logMaxMegabytes, logMaxFiles }: ProxyConfig): RotationLimits {
  return { maxBytes: logMaxMegabytes * MEGABYTE, maxFiles: logMaxFiles };
}

/** Null where the log goes to standard output. Throws EP_LOG_FILE. */
export function openLogFile(config: ProxyConfig): LogFile | null {
  if (config.logFile === null) return null;
  const native = loadNativeAddon();
  return new LogFile({
    ...rotationOf(config),
    path: config.logFile,
    tryLock: (fd) => native.tryLockFile(fd),
    onTrouble: tellOnStandardError,
    nowMs: () => performance.now(),
  });
}

/** Of which nobody may be reading. */
function tellOnStandardError(message: string): void {
  try {
    writeSync(STANDARD_ERROR, `warning: ${message}\n`);
  } catch {
    return;
  }
}
