import { escapeAllButAscii, escapeUnseen } from './character.ts';

// In characters. CTDB cuts log lines at about 1,000 bytes, so a quoted value must leave room for the rest of the
// message.
const LONGEST_QUOTE = 120;

function quoted(text: string, escape: (text: string) => string): string {
  const escapedText = escape(JSON.stringify(text.slice(0, LONGEST_QUOTE)));
  const whole = escapedText.length - 2 <= LONGEST_QUOTE && text.length <= LONGEST_QUOTE;
  return whole ? escapedText : `"${escapedText.slice(1, -1).slice(0, LONGEST_QUOTE)}..."`;
}

/**
 * Puts `text` in double quotes for a message. Invisible characters are escaped. After 120 characters it is cut, with
 * `...`.
 */
export function quote(text: string): string {
  return quoted(text, escapeUnseen);
}

/** Like `quote`, but escapes everything that is not ASCII: for a value in which one letter may look like another. */
export function quoteAsAscii(text: string): string {
  return quoted(text, escapeAllButAscii);
}
