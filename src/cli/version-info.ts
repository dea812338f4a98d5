import { release, type } from 'node:os';
import { LAYOUT_HASH, LAYOUT_VERSION } from '../domain/shared/layout.js';
import { dependencyVersions, packageVersion } from './package-info.js';

/** Everything a report of a fault should name, one `name version` per line. */
export function versionInfo(): string {
  const rows: [string, string][] = [
    ['edgeproxy', packageVersion()],
    ['node', process.versions.node],
    ['v8', process.versions.v8],
    ['libuv', process.versions.uv],
    ['kernel', `${type()} ${release()} ${process.arch}`],
    ['shared layout', `${LAYOUT_VERSION} (${(LAYOUT_HASH >>> 0).toString(16).padStart(8, '0')})`],
    ...dependencyVersions(),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, version]) => `${name.padEnd(width)}  ${version}\n`).join('');
}
