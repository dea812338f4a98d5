/** Appends N numbered lines to a log file that rotates, a few per turn of the loop, and tells when it is done. */
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { LogFile } from '../../src/adapters/outbound/log/log-file.js';
import { LineWriter } from '../../src/adapters/outbound/log/line-writer.js';

const [path = '', name = '', count = '', maxBytes = '', maxFiles = ''] = process.argv.slice(2);
const native = loadNativeAddon();
const writer = new LineWriter({
  output: new LogFile({
    path,
    maxBytes: Number(maxBytes),
    maxFiles: Number(maxFiles),
    tryLock: (fd) => native.tryLockFile(fd),
    onTrouble: (message) => process.send?.(message),
    nowMs: () => performance.now(),
  }),
  limitBytes: 1 << 20,
  onRecovered: () => undefined,
});
let next = 0;

function writeSome(): void {
  for (const end = Math.min(next + 10, Number(count)); next < end; next++) writer.write(`${name} ${next}\n`);
  if (next < Number(count)) setImmediate(writeSome);
  else process.send?.('done', () => process.disconnect());
}

writeSome();
