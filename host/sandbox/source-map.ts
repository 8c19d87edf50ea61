/** A place in a file; both count from 0. */
export interface Position {
	readonly line: number;
	readonly column: number;
}

export interface Origin extends Position {
	/** As the map names it. */
	readonly source: string;
}

/**
 * Finds where positions of generated code come from. Walks the mappings once and keeps nothing but the answers, so that an untrusted map costs time
 * by its length and no memory: Node's own reader makes an object of every segment, and ten million of them abort the process, thread or not.
 * Maps with sections are not read. An answer is missing when the map has none, or is damaged before the place.
 *
 * @see ECMA-426, section 4: decoding source map mappings
 */
export function findOrigins(sourceMap: string, positions: readonly Position[]): (Origin | undefined)[] {
	const origins: (Origin | undefined)[] = positions.map(() => undefined);
	const map = JSON.parse(sourceMap) as { readonly sources?: unknown; readonly mappings?: unknown } | null;
	if (!Array.isArray(map?.sources) || typeof map.mappings !== "string") return origins;
	const { sources, mappings } = map;

	const fields = [0, 0, 0, 0, 0];
	let line = 0;
	let at = 0;
	while (at <= mappings.length) {
		// One segment: up to five numbers, each relative to the one before it: column, source, line, column, name.
		let count = 0;
		while (at < mappings.length && mappings[at] !== "," && mappings[at] !== ";") {
			let value = 0;
			let shift = 0;
			let digit: number;
			do {
				digit = digits.indexOf(mappings[at] ?? "");
				if (digit < 0 || shift > 30 || mappings[at] === undefined) return origins;
				value += (digit & 31) * 2 ** shift;
				shift += 5;
				at += 1;
			} while (digit & 32);
			if (count > 4) return origins;
			fields[count] = (fields[count] ?? 0) + (value % 2 === 1 ? -(value - 1) / 2 : value / 2);
			count += 1;
		}
		if (count > 0) {
			const [column = 0, index = 0, originalLine = 0, originalColumn = 0] = fields;
			const source: unknown = count >= 4 ? sources[index] : undefined;
			// Segments come in order: the last one that begins at or before the place, on its line, is the one that covers it.
			for (const [number, position] of positions.entries())
				if (position.line === line && column <= position.column)
					origins[number] =
						typeof source === "string" && originalLine >= 0 && originalColumn >= 0
							? { source, line: originalLine, column: originalColumn }
							: undefined;
		}
		if (mappings[at] === ";") {
			line += 1;
			fields[0] = 0;
		}
		at += 1;
	}
	return origins;
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
