const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const THOUSANDTHS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'));

/** Three decimals, or none of a whole number. */
export function milliseconds(us: number): string {
  const whole = Math.floor(us / 1000);
  const rest = us - whole * 1000;
  return rest === 0 ? String(whole) : `${whole}.${THOUSANDTHS[rest] ?? '0'}`;
}

/** Times of day in UTC, of microseconds since 1970: most of a moment have the same second, so its text is kept. */
export class TimeTexts {
  #secs = -1;
  #iso = '';
  #logStyle = '';

  /** ISO 8601: `2026-11-20T17:26:47.123Z`. */
  iso(us: number): string {
    this.#useSecond(us);
    return `${this.#iso}.${thousandthOf(us)}Z`;
  }

  /** As in the logs of web servers: `20/Nov/2026:17:26:47.123 +0000`. */
  logStyle(us: number): string {
    this.#useSecond(us);
    return `${this.#logStyle}.${thousandthOf(us)} +0000`;
  }

  #useSecond(us: number): void {
    const secs = Math.floor(us / 1_000_000);
    if (secs === this.#secs) return;
    this.#secs = secs;
    this.#iso = new Date(secs * 1000).toISOString().slice(0, 19);
    const [date = '', time = ''] = this.#iso.split('T');
    const [year = '', month = '', day = ''] = date.split('-');
    this.#logStyle = `${day}/${MONTHS[Number(month) - 1] ?? month}/${year}:${time}`;
  }
}

function thousandthOf(us: number): string {
  return THOUSANDTHS[Math.floor(us / 1000) % 1000] ?? '000';
}
