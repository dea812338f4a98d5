import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { threadFile } from '../../src/adapters/outbound/thread-file.js';

describe('threadFile', () => {
  it('keeps the extension of the module that starts the thread', () => {
    assert.equal(threadFile('file:///p/dist/a/b.js', 'job.worker'), 'file:///p/dist/a/job.worker.js');
    assert.equal(threadFile('file:///p/src/a/b.ts', 'job.worker'), 'file:///p/src/a/job.worker.ts');
  });

  it('ignores what a loader appends to the URL', () => {
    assert.equal(threadFile('file:///p/src/a/b.ts?v=1.2', 'job.worker'), 'file:///p/src/a/job.worker.ts');
  });
});
