/** Whether a name fits a pattern, in which `*` stands for any characters and `?` for one. Takes time by length times length at most, whoever wrote the pattern. */
export function fitsPattern(name: string, pattern: string): boolean {
	let at = 0;
	let next = 0;
	/** Where the last `*` stands, and from where on what follows it is tried. */
	let star = -1;
	let tried = 0;
	while (at < name.length) {
		if (pattern[next] === "*") {
			star = next;
			tried = at;
			next += 1;
		} else if (next < pattern.length && (pattern[next] === "?" || pattern[next] === name[at])) {
			at += 1;
			next += 1;
		} else if (star >= 0) {
			tried += 1;
			at = tried;
			next = star + 1;
		} else return false;
	}
	while (pattern[next] === "*") next += 1;
	return next === pattern.length;
}
