import { readFileSync, statSync } from "node:fs";
import { text as readText } from "node:stream/consumers";
import { UsageError } from "./command.ts";

/** Reads a secret from a file that nobody else can read, or from standard input (`-`). What is in it stays out of messages. */
export async function readSecret(option: string, file: string): Promise<string> {
	if (file === "-") return await readText(process.stdin);
	try {
		const { mode } = statSync(file);
		if ((mode & 0o077) !== 0)
			throw new UsageError(
				`${option}: ${file} is open to others (mode ${(mode & 0o777).toString(8)}); it must be private (600).`,
			);
		return readFileSync(file, "utf8");
	} catch (cause) {
		if (cause instanceof UsageError) throw cause;
		throw new UsageError(`${option}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
	}
}
