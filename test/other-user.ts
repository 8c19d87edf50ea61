import { statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";

/** A user that has no rights here, for what root's own do not stop at. */
export const otherUser = { uid: 65_534, gid: 65_534 } as const;

/**
 * The identity of a process that modes stop: the other user's for root, and otherwise the one of this process. Skips the test, with the reason, where the other
 * user cannot run the program, because root's clone is in a directory that only root enters; in CI that is an error.
 */
export function requireUnprivileged(context: TestContext): { readonly uid?: number; readonly gid?: number } {
	if (process.getuid?.() !== 0) return {};
	const closed = ancestors(fileURLToPath(import.meta.url)).find((directory) => (statSync(directory).mode & 0o001) === 0);
	if (closed === undefined) return otherUser;
	const reason = `user ${otherUser.uid} cannot enter ${closed}, where this clone is`;
	if (process.env.CI) throw new Error(`This test must run here, but ${reason}.`);
	context.skip(reason);
	return otherUser;
}

function ancestors(path: string): string[] {
	const parent = dirname(path);
	return parent === path ? [] : [parent, ...ancestors(parent)];
}
