import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What one build works with. */
export interface Workplace {
	/** For files that have to be made first. They stay until the build has ended, because they are read when the tree is packed. */
	readonly directory: string;
	/** Ends the build. */
	readonly signal: AbortSignal;
}

export async function withWorkplace<Result>(
	signal: AbortSignal,
	build: (workplace: Workplace) => Promise<Result>,
): Promise<Result> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-image-"));
	try {
		return await build({ directory, signal });
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}
