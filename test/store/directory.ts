import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new, empty data directory that is removed at the end. */
export function temporaryDirectory(): { readonly path: string; remove(): void } {
	const path = mkdtempSync(join(tmpdir(), "cronium-store-"));
	return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
