/** Numbers for people. */

const STEPS = ['', 'k', 'M', 'G', 'T', 'P'];

/** Three significant digits with a decimal prefix: 1234567 is 1.23 M. */
export function short(value: number): string {
  let rest = value;
  let step = 0;
  while (rest >= 999.5 && step < STEPS.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const digits = step === 0 && Number.isInteger(value) ? 0 : rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)}${STEPS[step] === '' ? '' : ` ${STEPS[step] ?? ''}`}`;
}

export function bitsPerSecond(bytesPerSecond: number): string {
  const text = short(Math.round(bytesPerSecond * 8));
  return text.includes(' ') ? `${text}b/s` : `${text} b/s`;
}

export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

export function milliseconds(value: number | null): string {
  return value === null ? '–' : `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

/** `half_open` as people say it. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
