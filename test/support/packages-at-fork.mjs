// Run by a proxy before its own code (--import): writes which packages it has loaded by its first fork into TELL_FILE. All of
// them are CommonJS, so they stand in the cache of require().
import cluster from 'node:cluster';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { fork } = cluster;

cluster.fork = (...args) => {
  cluster.fork = fork;
  const paths = Object.keys(createRequire(import.meta.url).cache);
  const packages = paths.map((path) => /node_modules\/((@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  writeFileSync(process.env['TELL_FILE'], JSON.stringify([...new Set(packages.filter(Boolean))]));
  return fork(...args);
};
