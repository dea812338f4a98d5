/** Questions to a worker that may never answer: bounded in number and in time. */

/** To a worker that stands still nothing more is sent. */
const MOST_OPEN = 16;

interface OpenQuestion<Answer> {
  readonly resolve: (answer: Answer | null) => void;
  readonly timer: NodeJS.Timeout;
}

export class OpenQuestions<Answer> {
  /** Sent, and not answered: also those that nobody waits for any more. */
  readonly #open = new Map<number, OpenQuestion<Answer>>();
  #next = 0;

  /** Resolves with null where there is no answer after `timeoutMs`, or too many questions are open already. */
  ask(send: (number: number) => void, timeoutMs: number): Promise<Answer | null> {
    if (this.#open.size >= MOST_OPEN) return Promise.resolve(null);
    const number = this.#next++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), timeoutMs).unref();
      this.#open.set(number, { resolve, timer });
      send(number);
    });
  }

  answer(number: number, answer: Answer | null): void {
    const question = this.#open.get(number);
    if (question === undefined) return;
    this.#open.delete(number);
    clearTimeout(question.timer);
    question.resolve(answer);
  }

  /** Whoever was asked is gone. */
  giveUp(): void {
    for (const number of [...this.#open.keys()]) this.answer(number, null);
  }
}
