const maxExcerptCharacters = 60;

/**
 * Quotes a text for a message: at most 60 characters unless it is told otherwise, control, bidirectional and other invisible characters as escapes, so that
 * neither a terminal nor a log line can be tricked by it.
 */
export function excerpt(text: string, maxCharacters = maxExcerptCharacters): string {
	const cut = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
	return JSON.stringify(cut).replace(invisible, (character) => {
		const codePoint = character.codePointAt(0) as number;
		return codePoint > 0xffff ? `\\u{${codePoint.toString(16)}}` : `\\u${codePoint.toString(16).padStart(4, "0")}`;
	});
}

// Control, format (bidirectional marks, zero-width characters, tags), line separators, and what a cut has split.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
