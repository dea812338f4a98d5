import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OpenQuestions } from '../../src/cluster/open-questions.js';

const LONG_MS = 60_000;

describe('OpenQuestions', () => {
  it('gives each its own answer, in any order, and takes none twice', async () => {
    const questions = new OpenQuestions<string>();
    const numbers: number[] = [];
    const asked = [1, 2].map(() => questions.ask((number) => void numbers.push(number), LONG_MS));
    const [first = -1, second = -1] = numbers;
    questions.answer(second, 'b');
    questions.answer(first, 'a');
    questions.answer(first, 'again');
    questions.answer(77, 'nobody asked');
    assert.deepEqual(await Promise.all(asked), ['a', 'b']);
  });

  it('waits no longer than asked to, and asks nothing more of who answers nothing', async () => {
    const questions = new OpenQuestions<string>();
    let sent = 0;
    // Holds the process, which the questions' own timers do not.
    const hold = setTimeout(() => undefined, LONG_MS);
    for (let i = 0; i < 40; i++)
      assert.equal(
        await questions.ask(() => {
          sent++;
        }, 1),
        null,
      );
    clearTimeout(hold);
    assert.equal(sent, 16);
    for (let number = 0; number < sent; number++) questions.answer(number, 'late');
    const next = questions.ask((number) => questions.answer(number, 'well again'), LONG_MS);
    assert.equal(await next, 'well again');
  });

  it('gives up on who is gone', async () => {
    const questions = new OpenQuestions<string>();
    const asked = questions.ask(() => undefined, LONG_MS);
    questions.giveUp();
    assert.equal(await asked, null);
  });
});
