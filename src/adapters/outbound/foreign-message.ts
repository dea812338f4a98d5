/**
 * What somebody else's error says, as it may stand in ours: SQLite quotes the schema, which is the file's author's text.
 * Control, format and separating characters are escaped (they could move a terminal's cursor or forge a line), and what
 * is too long for a line is cut.
 */
const SHOWN_CHARS = 500;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

export function foreignMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const shown = message.slice(0, SHOWN_CHARS).replace(UNPRINTABLE, escapeCharacter);
  return message.length > SHOWN_CHARS ? `${shown}…` : shown;
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
