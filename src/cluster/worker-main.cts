/**
 * What a worker's process runs first. node:cluster says that the worker is there before any module of it is loaded; where
 * the primary has died in that moment the message fails, and the error comes before a module that is loaded
 * asynchronously, as every ES module is, could listen for it. This one is loaded at once. To end is all there is to do.
 */
(process as NodeJS.EventEmitter).prependOnceListener('error', () => process.exit(1));

void import('./worker.js');
