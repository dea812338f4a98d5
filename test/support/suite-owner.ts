import { after } from 'node:test';
import type { Owner } from './scratch-directory.js';

/** The owner of what a `describe` sets up in its hooks; call it in the body. What came last goes first. */
export function suiteOwner(): Owner {
  const actions: (() => void | Promise<void>)[] = [];
  after(async () => {
    for (const action of actions.reverse()) await action();
  });
  return { after: (action) => void actions.push(action) };
}
