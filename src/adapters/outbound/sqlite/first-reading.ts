import { existsSync } from 'node:fs';
import { RoutingReader, type RoutingReaderOptions, type RoutingReading } from './routing-reader.js';
import { createRoutingDatabase } from './routing-schema.js';

/** Reads the whole routing database in this thread, and creates the file where there is none. Throws an EdgeproxyError. */
export function readFirst(options: RoutingReaderOptions): RoutingReading {
  if (!existsSync(options.path)) createRoutingDatabase(options.path);
  const reader = new RoutingReader(options);
  try {
    return reader.read(null);
  } finally {
    reader.close();
  }
}
