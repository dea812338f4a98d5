/**
 * Where the file of a thread lies. Thread files are named `*.worker.ts` and lie beside the module that starts them, in
 * src/ as in dist/. Run from src/ with `node --import tsx`, a thread inherits that flag and loads TypeScript like its
 * parent; so the extension of the parent is the extension of the thread.
 */

/**
 * URL of a thread file for piscina's `filename`: `threadFile(import.meta.url, 'geo-compile.worker')`. Name the function to
 * call with piscina's `name`, there are no default exports here.
 */
export function threadFile(importMetaUrl: string, name: string): string {
  const { pathname } = new URL(importMetaUrl);
  const extension = pathname.slice(pathname.lastIndexOf('.'));
  return new URL(`./${name}${extension}`, importMetaUrl).href;
}
