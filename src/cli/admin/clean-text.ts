/** Text from elsewhere on a terminal: nothing in it may move the cursor, hide what stands before it or take more room than it says. */

/** Control, format, surrogate, private and unassigned characters, marks that join others, and every space but the plain one. */
const UNSAFE = /[\p{C}\p{M}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
/** East Asian wide characters and emoji, which take two columns. */
const WIDE =
  /[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const ASCII = /^[\x20-\x7e]*$/;

export function cleanText(text: string): string {
  return ASCII.test(text) ? text : text.replace(UNSAFE, '?');
}

/** Columns that a clean text takes. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/** As much of it as fits into so many columns, with an ellipsis where that is not all. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let width = 0;
  let kept = '';
  for (const character of text) {
    width += widthOf(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return columns <= 0 ? '' : `${kept}…`;
}

export function pad(text: string, columns: number, isRight: boolean): string {
  const space = ' '.repeat(Math.max(0, columns - widthOf(text)));
  return isRight ? space + text : text + space;
}

/** JSON for people and programs: what could steer a terminal is written as an escape. */
export function safeJson(value: unknown): string {
  const escape = (character: string): string =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join('');
  return JSON.stringify(value, null, 2).replace(/[^\P{C}\n]|\p{Zl}|\p{Zp}/gu, escape);
}
