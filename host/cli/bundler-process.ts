import { readFileSync } from "node:fs";

const MiB = 1024 * 1024;
/** What esbuild may occupy. Sources of 4 MiB take 320 MiB; the recursion of hostile ones would take all there is (1 GiB measured for 6 MB of `[`). */
const maxResidentBytes = 512 * MiB;
const watchIntervalMs = 10;
/** Counted in brackets. */
export const maxNesting = 1_500;

/**
 * The environment of esbuild: nothing of ours (`NODE_PATH` and others would have a say), from where on Go's collector works harder, and no pages of
 * its stack on standard error. The first is not a bound, hence `watchMemory`.
 */
export const bundlerEnvironment: Readonly<Record<string, string>> = {
	GOMEMLIMIT: `${(maxResidentBytes * 3) / 4 / MiB}MiB`,
	GOTRACEBACK: "none",
};

/** Of a process as much as is needed to stop it. */
interface Stoppable {
	readonly pid?: number | undefined;
	kill(signal: "SIGKILL"): boolean;
}

/** Kills the process when it occupies more memory than it may. Only Linux tells how much that is; elsewhere the time is the limit. */
export function watchMemory(child: Stoppable): Disposable & { readonly isExceeded: boolean } {
	let isExceeded = false;
	const timer = setInterval(() => {
		if (child.pid === undefined || residentBytes(child.pid) <= maxResidentBytes) return;
		isExceeded = true;
		child.kill("SIGKILL");
	}, watchIntervalMs);
	if (process.platform !== "linux") clearInterval(timer);
	timer.unref();
	return {
		get isExceeded() {
			return isExceeded;
		},
		[Symbol.dispose]: () => clearInterval(timer),
	};
}

export const describeMemory = `${maxResidentBytes / MiB} MiB`;

function residentBytes(pid: number): number {
	try {
		return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;
	} catch {
		// It has ended.
		return 0;
	}
}

/**
 * Whether brackets are nested deeper than anyone writes them: esbuild calls itself for each. Reads strings
 * and comments over, roughly: a quote in a regular expression may hide brackets as far as the end of the line.
 */
export function isNestedTooDeeply(source: string): boolean {
	let depth = 0;
	for (let index = 0; index < source.length; index++) {
		switch (source[index]) {
			case "(":
			case "[":
			case "{":
				depth += 1;
				if (depth > maxNesting) return true;
				break;
			case ")":
			case "]":
			case "}":
				depth = Math.max(0, depth - 1);
				break;
			case "\\":
				// In a regular expression `\(` opens nothing.
				index += 1;
				break;
			case '"':
			case "'":
				index = endOfString(source, index);
				break;
			case "/":
				index = endOfComment(source, index);
				break;
		}
	}
	return false;
}

/** Where the quote is closed, or the line ends without. */
function endOfString(source: string, start: number): number {
	const quote = source[start];
	for (let index = start + 1; index < source.length; index++) {
		const character = source[index];
		if (character === quote || character === "\n") return index;
		if (character === "\\") index += 1;
	}
	return source.length;
}

function endOfComment(source: string, start: number): number {
	const next = source[start + 1];
	if (next !== "/" && next !== "*") return start;
	const end = next === "/" ? source.indexOf("\n", start) : source.indexOf("*/", start + 2) + 1;
	return end <= 0 ? source.length : end;
}
