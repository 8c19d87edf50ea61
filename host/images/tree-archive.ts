import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createTarPacker, type TarPackController } from "modern-tar";
import type { RootTree, TreeEntry } from "./root-tree.ts";

/** The time of every file. Not zero: there are programs for which that is no time, and archives that begin in 1980. */
const fileTime = new Date("1980-01-01T00:00:00Z");

const chunkBytes = 1_048_576;

/** The tree as a tar archive. Everything is root's, nothing but shared directories can be written by others, and nothing has rights of its own; equal trees give equal bytes. */
export function packTree(tree: RootTree, signal?: AbortSignal): Readable {
	const { readable, controller } = createTarPacker();
	writeEntries(tree, controller).then(
		() => controller.finalize(),
		(cause: unknown) => controller.error(cause),
	);
	return Readable.fromWeb(readable, { signal });
}

async function writeEntries(tree: RootTree, controller: TarPackController): Promise<void> {
	for (const [path, entry] of tree.entries) await writeEntry(path, entry, controller);
}

async function writeEntry(path: string, entry: TreeEntry, controller: TarPackController): Promise<void> {
	const common = { mtime: fileTime, uid: 0, gid: 0, size: 0 };
	if (entry.kind === "directory")
		return await controller
			.add({ ...common, name: `${path}/`, type: "directory", mode: entry.isShared ? 0o1777 : 0o755 })
			.close();
	if (entry.kind === "link")
		return await controller.add({ ...common, name: path, type: "symlink", linkname: entry.target, mode: 0o777 }).close();
	const header = { ...common, name: path, type: "file", mode: entry.isExecutable ? 0o755 : 0o644 } as const;
	if (typeof entry.source !== "string") {
		const body = controller.add({ ...header, size: entry.source.length }).getWriter();
		if (entry.source.length > 0) await body.write(entry.source);
		return await body.close();
	}
	await using file = await open(entry.source);
	const { size } = await file.stat();
	const body = controller.add({ ...header, size }).getWriter();
	for (let left = size; left > 0; ) {
		const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(left, chunkBytes)));
		if (bytesRead === 0) throw new Error(`${entry.source} became shorter while it was read.`);
		await body.write(buffer.subarray(0, bytesRead));
		left -= bytesRead;
	}
	await body.close();
}
