/** What every RoutingRepository has to do, whatever it reads from. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { RoutingRepository } from '../../src/application/ports/routing-repository.js';
import type { Backend } from '../../src/domain/backend.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';

/** A real source of backends, at first empty, that is gone when the test ends. */
export interface RoutingSource {
  open(): RoutingRepository;
  insert(backend: Backend): void;
  setWeight(id: string, weight: number): void;
  remove(id: string): void;
  /** Adds a row whose port is no port. */
  insertUnroutable(id: string): void;
  goAway(): void;
  comeBack(): void;
}

const FIRST = SAMPLE_BACKEND;
const SECOND: Backend = { ...FIRST, id: 'eu-1', region: 'eu', country: '', address: '2001:db8::1', isHealthy: false };

export function describeRoutingRepository(name: string, createSource: (test: TestContext) => RoutingSource): void {
  const start = (test: TestContext): { source: RoutingSource; repository: RoutingRepository } => {
    const source = createSource(test);
    source.insert(FIRST);
    const repository = source.open();
    test.after(() => repository.close());
    return { source, repository };
  };
  const backendsOf = async (repository: RoutingRepository): Promise<readonly Backend[] | undefined> =>
    (await repository.readIfChanged())?.backends;

  describe(`${name} as a RoutingRepository`, () => {
    it('gives everything at first and null while nothing changes', async (test) => {
      const { source, repository } = start(test);
      source.insert(SECOND);
      assert.deepEqual(await repository.readIfChanged(), { backends: [FIRST, SECOND], warnings: [] });
      for (let call = 0; call < 3; call++) assert.equal(await repository.readIfChanged(), null);
    });

    it('gives everything again after a change', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      source.insert(SECOND);
      assert.deepEqual(await backendsOf(repository), [FIRST, SECOND]);
      source.setWeight('sa-1', 7);
      assert.deepEqual(await backendsOf(repository), [{ ...FIRST, weight: 7 }, SECOND]);
      source.remove('eu-1');
      assert.deepEqual(await backendsOf(repository), [{ ...FIRST, weight: 7 }]);
      assert.equal(await repository.readIfChanged(), null);
    });

    it('gives several changes as one', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      for (let weight = 10; weight < 20; weight++) source.setWeight('sa-1', weight);
      source.insert(SECOND);
      assert.deepEqual(await backendsOf(repository), [{ ...FIRST, weight: 19 }, SECOND]);
      assert.equal(await repository.readIfChanged(), null);
    });

    it('leaves an unroutable row out and names it', async (test) => {
      const { source, repository } = start(test);
      source.insertUnroutable('bad');
      const snapshot = await repository.readIfChanged();
      assert.deepEqual(snapshot?.backends, [FIRST]);
      assert.deepEqual(
        snapshot.warnings.map(({ row, column, isSkipped }) => ({ row, column, isSkipped })),
        [{ row: 'bad', column: 'port', isSkipped: true }],
      );
    });

    it('has a memory of its own', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      const other = source.open();
      test.after(() => other.close());
      assert.deepEqual(await backendsOf(other), [FIRST]);
      assert.equal(await repository.readIfChanged(), null);
    });

    it('rejects with an EdgeproxyError while the source is away, and goes on when it is back', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      source.setWeight('sa-1', 9);
      source.goAway();
      for (let call = 0; call < 3; call++) {
        await assert.rejects(repository.readIfChanged(), (error: unknown) => {
          assert.ok(error instanceof EdgeproxyError);
          assert.match(error.code, /^EP_[A-Z_]+$/);
          assert.equal(error.isRetryable, true);
          return true;
        });
      }
      source.comeBack();
      assert.deepEqual(await backendsOf(repository), [{ ...FIRST, weight: 9 }]);
      assert.equal(await repository.readIfChanged(), null);
    });

    it('says nothing changed when the source was away and came back as it was', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      source.goAway();
      await assert.rejects(repository.readIfChanged());
      source.comeBack();
      assert.equal(await repository.readIfChanged(), null);
    });

    it('closes twice, before it was read and after, and reads no more', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      await repository.readIfChanged();
      await Promise.all([repository.close(), repository.close()]);
      await repository.close();
      await assert.rejects(repository.readIfChanged(), EdgeproxyError);
      const unread = source.open();
      await unread.close();
      await assert.rejects(unread.readIfChanged(), EdgeproxyError);
    });

    it('settles a reading that is under way when it is closed', async (test) => {
      const { source, repository } = start(test);
      await repository.readIfChanged();
      source.insert(SECOND);
      const [reading] = await Promise.allSettled([repository.readIfChanged(), repository.close()]);
      if (reading.status === 'rejected') assert.ok(reading.reason instanceof EdgeproxyError, String(reading.reason));
      else assert.deepEqual(reading.value?.backends, [FIRST, SECOND]);
    });
  });
}
