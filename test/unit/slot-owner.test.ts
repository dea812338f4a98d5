import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Reservations, UNLIMITED } from '../../src/domain/shared/reservations.js';
import { slotOwner } from '../../src/domain/shared/slot-owner.js';
import { backend, newRegion, RoutingRig } from '../support/routing-rig.js';

describe('slotOwner', () => {
  it('stays while a backend is known or has connections, also when it was removed and comes back', () => {
    const { region, writer, publish } = rig();
    publish(['a', 'b']);
    const slot = writer.slotOf('a') ?? -1;
    const owner = slotOwner(region, slot);
    publish(['b', 'a']);
    const place = new Reservations(region, 0);
    place.reserve(slot, UNLIMITED);
    publish(['b']);
    writer.recycle();
    assert.equal(slotOwner(region, slot), owner);
    publish(['a', 'b']);
    assert.deepEqual([writer.slotOf('a'), slotOwner(region, slot)], [slot, owner]);
  });

  it('is another number as soon as another backend has the slot, and not before', () => {
    const { region, writer, publish } = rig(1);
    publish(['a']);
    const owner = slotOwner(region, 0);
    publish([]);
    writer.recycle();
    assert.equal(slotOwner(region, 0), owner);
    publish(['b']);
    assert.equal(writer.slotOf('b'), 0);
    assert.notEqual(slotOwner(region, 0), owner);
  });
});

function rig(backends = 4) {
  const { region } = newRegion({ backends });
  const routing = new RoutingRig(region);
  return {
    region,
    writer: routing.writer,
    publish: (ids: readonly string[]) => void routing.publish(ids.map((id) => backend(id))),
  };
}
