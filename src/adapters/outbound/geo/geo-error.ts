/**
 * Failures of a geo database. Each says which file, what was found and what was expected. They cross from the loading
 * thread as plain values, because a structured clone of an Error loses its code.
 */
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { foreignMessage } from '../foreign-message.js';

/** Every code, and whether the same file may load at the next try; docs/geo.md explains them. */
const IS_RETRYABLE = {
  EP_GEO_MISSING: false,
  EP_GEO_UNREADABLE: false,
  EP_GEO_TOO_LARGE: false,
  EP_GEO_DAMAGED: false,
  EP_GEO_NO_COUNTRY: false,
  EP_GEO_CHANGED: true,
  EP_GEO_LOAD: true,
} as const;

export type GeoErrorCode = keyof typeof IS_RETRYABLE;
export const GEO_ERROR_CODES = Object.keys(IS_RETRYABLE) as readonly GeoErrorCode[];

export interface GeoFailure {
  readonly code: GeoErrorCode;
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

export function geoError(failure: GeoFailure, cause?: unknown): EdgeproxyError {
  const { code, path, found, expected } = failure;
  return new EdgeproxyError(code, `geo database ${path}: found ${found}; expected ${expected}`, {
    source: code === 'EP_GEO_LOAD' ? 'internal' : 'config',
    isRetryable: IS_RETRYABLE[code],
    context: { ...failure },
    cause,
  });
}

/** EP_GEO_DAMAGED of that file. */
export function damaged(
  file: { readonly path: string },
  found: string,
  expected: string,
  cause?: unknown,
): EdgeproxyError {
  return geoError({ code: 'EP_GEO_DAMAGED', path: file.path, found, expected }, cause);
}

/** The plain value that geoError makes the same error of, on the other side of a thread's border. */
export function geoFailure(path: string, error: unknown): GeoFailure {
  if (error instanceof EdgeproxyError && isGeoErrorCode(error.code)) {
    const { found, expected } = error.context;
    return {
      code: error.code,
      path,
      found: textOf(found, error.message),
      expected: textOf(expected, 'a smaller database'),
    };
  }
  return { code: 'EP_GEO_LOAD', path, found: `an error: ${foreignMessage(error)}`, expected: 'a load without one' };
}

function isGeoErrorCode(code: string): code is GeoErrorCode {
  return Object.hasOwn(IS_RETRYABLE, code);
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
