// CTDB cuts log lines at about 1,000 bytes; a quoted value must leave room for the rest of the message.
const LONGEST_QUOTE = 120;

/** `text` in double quotes for a message: control characters escaped, cut with `...` after 120 characters. */
export function quote(text: string): string {
  const cut = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
  // JSON leaves DEL, C1 controls, separators and lone surrogates as they are or merely valid; a terminal does not.
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
