// CTDB cuts log lines at about 1,000 bytes; a quoted value must leave room for the rest of the message.
const LONGEST_QUOTE = 120;

/** `text` in double quotes for a message: control characters escaped, cut with `...` after 120 characters. */
export function quote(text: string): string {
  // JSON leaves DEL, C1 controls, direction marks and the like as they are; a terminal and a log reader do not.
  const escaped = JSON.stringify(text.slice(0, LONGEST_QUOTE)).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const whole = escaped.length - 2 <= LONGEST_QUOTE && text.length <= LONGEST_QUOTE;
  return whole ? escaped : `"${escaped.slice(1, -1).slice(0, LONGEST_QUOTE)}..."`;
}
