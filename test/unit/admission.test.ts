import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networks, countries } from '../../src/adapters/inbound/config/access-list.js';
import { AdmissionUpkeep } from '../../src/cluster/admission-upkeep.js';
import { AccessLists } from '../../src/domain/admission/access-lists.js';
import { type AccessRules, compileAccess } from '../../src/domain/admission/compile-access.js';
import { countryNumber } from '../../src/domain/regions.js';
import { ADMITTED_SLOT, REQUEST_FLAG, RESPONSE } from '../../src/domain/shared/batch-layout.js';
import { REJECT_REASONS, type RejectReason, WORKER } from '../../src/domain/shared/layout.js';
import { eventually } from '../support/eventually.js';
import { activeOf, backend, newRegion, RoutingRig } from '../support/routing-rig.js';

const ONE_AN_HOUR = { maxRequests: 1, windowSecs: 3600, burst: 1 };

function refusal(reason: RejectReason): number {
  return -1 - REJECT_REASONS.indexOf(reason);
}

function listsOf(rules: Partial<AccessRules>): AccessLists {
  const bytes = compileAccess({ allowCidrs: [], denyCidrs: [], allowCountries: [], denyCountries: [], ...rules });
  const region = new SharedArrayBuffer(bytes.length);
  new Uint8Array(region).set(bytes);
  return new AccessLists(region);
}

function rigWith(maxConnectionsPerIp: number, rateLimit = null as typeof ONE_AN_HOUR | null): RoutingRig {
  const rig = new RoutingRig();
  rig.publish([backend('a', { hardLimit: 3 })]);
  rig.batch.configure({ bindingTtlSecs: 0, admission: { maxConnectionsPerIp, rateLimit } });
  return rig;
}

function clientWord(rig: RoutingRig): number {
  return rig.responses[RESPONSE.CLIENT] ?? 0;
}

describe('admission', () => {
  it('asks lists, rate and connections in this order, and an earlier refusal costs nothing later', () => {
    const rig = rigWith(1, ONE_AN_HOUR);
    rig.batch.useLists(listsOf({ denyCidrs: ['10.0.0.1'] }));
    assert.equal(rig.ask(1).slot, refusal('address_denied'));
    rig.batch.useLists(null);
    assert.equal(rig.ask(1).slot, 0, 'it still has its token');
    assert.equal(rig.ask(1).slot, refusal('rate_limited'));
    rig.batch.configure({ bindingTtlSecs: 0, admission: { maxConnectionsPerIp: 1, rateLimit: null } });
    assert.equal(rig.ask(1).slot, refusal('too_many_per_ip'));
    assert.equal(clientWord(rig), 0);
  });

  it('does not ask again for a client whose connect has failed, and gives it no second word', () => {
    const rig = rigWith(1, ONE_AN_HOUR);
    assert.equal(rig.ask(1).slot, 0);
    assert.ok(clientWord(rig) > 0);
    rig.publish([backend('a'), backend('b')]);
    assert.equal(rig.ask(1, { tried: [0] }).slot, 1);
    assert.equal(clientWord(rig), 0);
  });

  it('lets a client in without a backend where that alone is asked, and does not ask again when it is to be routed', () => {
    const rig = rigWith(1, ONE_AN_HOUR);
    assert.equal(rig.ask(1, { flags: REQUEST_FLAG.ADMIT }).slot, ADMITTED_SLOT);
    assert.ok(clientWord(rig) > 0);
    assert.equal(activeOf(rig.region, 0), 0, 'no place is taken yet');
    const another = rig.ask(1, { flags: REQUEST_FLAG.ADMIT });
    assert.equal(another.slot, refusal('rate_limited'));
    assert.equal(rig.ask(1, { flags: REQUEST_FLAG.ADMITTED | REQUEST_FLAG.TLS }).slot, 0);
    assert.equal(clientWord(rig), 0);
    assert.equal(activeOf(rig.region, 0), 1);
  });

  it('tells the word of a client that gets no backend, so that it is given back', () => {
    const rig = rigWith(5);
    rig.publish([]);
    assert.equal(rig.ask(1).slot, refusal('no_backend'));
    const word = clientWord(rig);
    assert.ok(word > 0);
    assert.equal(rig.region.words[word], 1);
  });

  it('takes the addresses of an IPv6 /64 for one client, on any listener', () => {
    const rig = rigWith(0, ONE_AN_HOUR);
    const slots = [
      rig.ask([0x20010db8, 1, 0, 1]).slot,
      rig.ask([0x20010db8, 1, 7, 9], { listener: 3 }).slot,
      rig.ask([0x20010db8, 2, 0, 1]).slot,
    ];
    assert.deepEqual(slots, [0, refusal('rate_limited'), 0]);
  });

  it('looks a country up once for the lists and the choice, and does not ask whom a network lets in for his', () => {
    const rig = rigWith(0);
    let lookUps = 0;
    rig.batch.useCountries({ countryOf: () => (lookUps++, countryNumber('BR')) });
    rig.batch.useLists(listsOf({ denyCountries: ['AR'] }));
    assert.equal(rig.ask(1).slot, 0);
    assert.equal(lookUps, 1);
    rig.batch.useLists(listsOf({ allowCountries: ['AR'], allowCidrs: ['10.0.0.2'] }));
    assert.equal(rig.ask(1).slot, refusal('country_denied'));
    assert.equal(lookUps, 2);
    assert.equal(rig.ask(2).slot, 0);
  });
});

describe('lists in the configuration', () => {
  it('have every wrong entry named, each once what is wrong with it', () => {
    const parsed = networks.parse('10.0.0.0/8, 10.1.2.3/8,nonsense,::1');
    const reason =
      '" 10.1.2.3/8" has bits beyond its prefix; the network is 10.0.0.0/8; "nonsense" is not an address or a network';
    assert.deepEqual(parsed, { isValid: false, reason });
    assert.deepEqual(countries.parse('BR,UK'), { isValid: false, reason: '"UK" is not the code of a country' });
  });

  it('name twenty wrong entries at most, and count the rest', () => {
    const parsed = networks.parse(Array.from({ length: 25 }, (_, index) => `x${index}`).join(','));
    assert.match((!parsed.isValid && parsed.reason) || '', /"x19" is not an address or a network; and 5 more$/);
  });

  it('are bounded, and may be empty', () => {
    const parsed = networks.parse(new Array(100_001).fill('10.0.0.1').join(','));
    assert.deepEqual(parsed, { isValid: false, reason: '100001 entries' });
    assert.deepEqual(networks.parse('none'), { isValid: true, value: [] });
    assert.deepEqual(networks.parse('10.0.0.1,10.0.0.1/32'), { isValid: true, value: ['10.0.0.1/32'] });
  });
});

describe('the upkeep of admission', () => {
  it('tells once how many clients could not be counted', { timeout: 300_000 }, async (t) => {
    const { region } = newRegion();
    const warnings: unknown[] = [];
    const quiet = (): void => undefined;
    const warn = (context: object): number => warnings.push(context);
    const logger = { trace: quiet, debug: quiet, info: quiet, warn, error: quiet };
    const upkeep = new AdmissionUpkeep({ region, logger }, 5);
    t.after(() => upkeep.stop());
    upkeep.start();
    Atomics.add(region.words, region.workerAt(1) + WORKER.UNTRACKED, 3);
    Atomics.add(region.words, region.workerAt(2) + WORKER.UNTRACKED, 4);
    await eventually('it is told', () => warnings.length > 0);
    Atomics.add(region.words, region.workerAt(2) + WORKER.UNTRACKED, 1);
    await eventually('the next one is told', () => warnings.length > 1);
    const clients = warnings.map((context) => (context as { clients: number }).clients);
    assert.equal(
      clients.reduce((sum, count) => sum + count, 0),
      8,
    );
  });
});
