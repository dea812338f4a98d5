import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChannelOutbox } from '../../src/cluster/channel-outbox.js';
import { within } from '../support/eventually.js';

describe('ChannelOutbox', () => {
  it('sends at once where there is room', async () => {
    const outbox = new ChannelOutbox();
    const sent: number[] = [];
    const told = outbox.push(() => void sent.push(1));
    assert.deepEqual(sent, [1]);
    await told;
  });

  it('keeps the order while the channel is full, and tries again until it is not', async () => {
    const outbox = new ChannelOutbox();
    const sent: number[] = [];
    let refusals = 3;
    const first = outbox.push(() => {
      if (refusals-- > 0) throw new Error('EAGAIN');
      sent.push(1);
    });
    const second = outbox.push(() => void sent.push(2));
    assert.deepEqual(sent, []);
    await within('both are sent', Promise.all([first, second]));
    assert.deepEqual(sent, [1, 2]);
  });

  it('sends nothing more once closed, and keeps nobody waiting', async () => {
    const outbox = new ChannelOutbox();
    let tries = 0;
    const waiting = outbox.push(() => {
      tries++;
      throw new Error('EPIPE');
    });
    outbox.close();
    outbox.close();
    await within('what waited is let go', waiting);
    await outbox.push(() => {
      tries++;
    });
    assert.equal(tries, 1);
  });
});
