/**
 * Leaves out what a log would cut from long lines anyway, before it is sent: the text behind so many characters of a line. Lines that it has not
 * shortened are as they were.
 */
export class LineLimit {
	readonly #maxCharacters: number;
	/** Of the line that has no end yet. */
	#characters = 0;

	/** A log that cuts lines at `maxLineBytes` sees with one character more that a line was too long. */
	constructor(maxLineBytes: number) {
		this.#maxCharacters = maxLineBytes + 1;
	}

	take(text: string): string {
		let kept = "";
		let start = 0;
		for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
			kept += `${text.slice(start, Math.min(end, start + this.#room))}\n`;
			this.#characters = 0;
			start = end + 1;
		}
		const rest = text.slice(start, start + this.#room);
		this.#characters += rest.length;
		return kept + rest;
	}

	get #room(): number {
		return this.#maxCharacters - this.#characters;
	}
}
