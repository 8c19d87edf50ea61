import { GuestFiles, type GuestFilesOptions } from "../../../host/sandbox/python/files.ts";
import { openFlags } from "../../../host/sandbox/python/open-files.ts";

export const current = -100;
export const limits = { maxBytes: 1024 * 1024, maxEntries: 64 };
export const base = new Map([
	["/lib/python314.zip", Buffer.from("the library")],
	["/usr/share/zoneinfo/Europe/Berlin", Buffer.from("TZif")],
]);

export function createGuestFiles(options: Partial<GuestFilesOptions> = {}): GuestFiles {
	return new GuestFiles({
		base,
		limits,
		print: () => undefined,
		random: (bytes) => bytes.fill(4),
		now: () => 1_700_000_000_000,
		...options,
	});
}

/** Makes the file, or empties it, and writes the text. */
export function write(files: GuestFiles, path: string, text: string): void {
	const fd = files.open(current, path, openFlags.readWrite | openFlags.create | openFlags.truncate, 0o666);
	files.descriptors.get(fd).write(Buffer.from(text), files.now);
	files.descriptors.close(fd);
}

export function read(files: GuestFiles, path: string): string {
	const fd = files.open(current, path, 0, 0);
	const text = readRest(files, fd);
	files.descriptors.close(fd);
	return text;
}

export function readRest(files: GuestFiles, fd: number): string {
	const parts: Buffer[] = [];
	for (let done = -1; done !== 0; ) {
		const part = Buffer.alloc(100_000);
		done = files.descriptors.get(fd).read(part);
		parts.push(part.subarray(0, done));
	}
	return Buffer.concat(parts).toString();
}

/** The names in a directory, in the order of its entries. */
export function list(files: GuestFiles, path: string): string[] {
	const node = files.find(current, path);
	if (node.kind !== "directory") throw new Error(`${path} is a ${node.kind}.`);
	return [...node.after(0)].map(({ name }) => name);
}

/** As `rm -r`. */
export function removeAll(files: GuestFiles, path: string): void {
	for (const name of list(files, path)) {
		const entry = `${path}/${name}`;
		const node = files.find(current, entry);
		if (node.kind !== "directory") files.removeFile(current, entry);
		else {
			files.changeMode(node, 0o755);
			removeAll(files, entry);
			files.removeDirectory(current, entry);
		}
	}
}
