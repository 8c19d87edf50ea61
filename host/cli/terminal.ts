import { styleText } from "node:util";

/**
 * Makes text from guests, remote hosts and the store harmless: control characters (a terminal obeys them) and bidirectional ones (they show a
 * line other than it is) become `\u001b`. Tabs stay; line breaks too when `lines` is set.
 */
export function escapeText(text: string, options: { readonly lines?: boolean } = {}): string {
	return text.replaceAll(unsafe, (character) =>
		character === "\t" || (options.lines && character === "\n")
			? character
			: `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

// Controls, line and paragraph separators, bidirectional marks, embeddings, overrides and isolates, and what is invisible or changes how its
// neighbours look; lone surrogates, which no terminal can show.
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

type Stream = NodeJS.WriteStream & { readonly fd: 1 | 2 };
export type Style = Parameters<typeof styleText>[0];

/** Colours the text when the stream is a terminal and `NO_COLOR` is not set. */
export function paint(stream: NodeJS.WriteStream, style: Style, text: string): string {
	if (!stream.isTTY || process.env.NO_COLOR || process.env.TERM === "dumb") return text;
	return styleText(style, text, { validateStream: false });
}

/** Writes to standard output. Whoever reads it may go at any time (`| head`): what it does not take is not an error. */
export function print(text: string): void {
	process.stdout.write(text);
}

/** One line on standard error: `cronium: …`. */
export function printError(message: string): void {
	const [first = "", ...more] = escapeText(message.replaceAll("\r\n", "\n"), { lines: true }).split("\n");
	process.stderr.write(
		[`${paint(process.stderr, "red", "cronium:")} ${first}`, ...more.map((line) => `  ${line}`), ""].join("\n"),
	);
}

/** Keeps a closed pipe from ending the process with a stack. */
export function tolerateClosedPipes(): void {
	for (const stream of [process.stdout, process.stderr] as Stream[])
		stream.on("error", (error: NodeJS.ErrnoException) => {
			if (error.code === "EPIPE" || error.code === "EIO") return;
			process.exitCode = 125;
			if (stream.fd === 1) process.stderr.write(`cronium: standard output cannot be written: ${error.code ?? error.message}\n`);
		});
}

/** Waits until everything printed has left the process. */
export async function drain(): Promise<void> {
	await Promise.all(
		[process.stdout, process.stderr].map(
			(stream) =>
				new Promise<void>((resolve) => {
					if (stream.destroyed || !stream.writable || stream.writableLength === 0) return resolve();
					stream.once("error", () => resolve());
					stream.write("", () => resolve());
				}),
		),
	);
}

/** A table for people: columns aligned, the last one as long as it is. Cells are escaped and in one line. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
	const escaped = rows.map((row) => row.map((cell) => escapeText(cell).replaceAll("\t", " ")));
	const widths = header.map((title, column) => Math.max(title.length, ...escaped.map((row) => row[column]?.length ?? 0)));
	const format = (row: readonly string[]): string =>
		row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  ");
	return [paint(process.stdout, "bold", format(header)), ...escaped.map(format), ""].join("\n");
}

/**
 * Tells on a terminal that a run is under way, once it has taken a second. `clear` before anything else is written; `stop` in the end.
 */
export function startProgress(label: string): { clear(): void; stop(): void } {
	const { stderr } = process;
	if (!stderr.isTTY || process.env.TERM === "dumb") return { clear: () => undefined, stop: () => undefined };
	const startedAt = Date.now();
	let shown = false;
	const clear = (): void => {
		if (shown) stderr.write("\r\u001b[K");
		shown = false;
	};
	const timer = setInterval(() => {
		const seconds = Math.floor((Date.now() - startedAt) / 1_000);
		const line = `${escapeText(label)} is running, ${seconds} s`.slice(0, (stderr.columns || 80) - 1);
		stderr.write(`\r\u001b[K${paint(stderr, "dim", line)}`);
		shown = true;
	}, 1_000).unref();
	return {
		clear,
		stop: () => {
			clearInterval(timer);
			clear();
		},
	};
}
