/** Longest part of a foreign value that is shown: enough to recognise it, too little to flood a terminal. */
const SHOWN_CHARACTERS = 60;

/** Control, format and unassigned characters: they could move a terminal's cursor or hide what was typed. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}"\\]/gu;

/** A value from outside as it may stand in a message: quoted, unprintable characters escaped, shortened. */
export function quoteValue(text: string): string {
  const characters = Array.from(text.slice(0, 2 * SHOWN_CHARACTERS + 2));
  const isShortened = characters.length > SHOWN_CHARACTERS || text.length > 2 * SHOWN_CHARACTERS + 2;
  const shown = characters.slice(0, SHOWN_CHARACTERS).join('').replace(UNPRINTABLE, escapeCharacter);
  return isShortened ? `"${shown}…"` : `"${shown}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  if (character === '\n') return '\\n';
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
