import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadCrypto } from "../crypto.ts";
import type { EngineName, GuestFile } from "./engine.ts";
import type { GuestImage } from "./guest.ts";

/** An engine as it is kept: what is compiled, and the memory that the prelude's evaluation leaves. */
export interface BuiltEngine {
	/** The WebAssembly module, made of the reviewed binary. */
	readonly binary: Uint8Array<ArrayBuffer>;
	/** Of the memory that the module asks for. */
	readonly minimumPages: number;
	readonly image: GuestImage;
	/** What every guest of the engine finds in its file system. */
	readonly files?: readonly GuestFile[];
}

/** Where memory images of engines lie: with the program, because whoever can write there decides what scripts run in. */
export interface ImagePlace {
	readonly directory: string;
	/**
	 * Whether an image that is missing there, or made of other parts, is written there. Where it is not, images are files of the program like its
	 * bundles, and taken as they are.
	 */
	readonly isKept: boolean;
}

/** What a file says before the bytes of the module and of the memory. */
interface Header extends Omit<GuestImage, "memory"> {
	/** Of everything that the engine is made of. */
	readonly key: string;
	readonly binaryBytes: number;
	readonly minimumPages: number;
	readonly memory: readonly { readonly offset: number; readonly length: number }[];
	readonly files?: readonly { readonly path: string; readonly length: number }[];
}

/** A part of a file. */
interface Extent {
	readonly position: number;
	readonly length: number;
}

/** Where the parts of an engine are in its file. */
export interface EngineLayout {
	readonly header: Omit<Header, "memory" | "files">;
	readonly binary: Extent;
	/** `offset` is that in the linear memory. */
	readonly memory: readonly (Extent & { readonly offset: number })[];
	readonly files: readonly (Extent & { readonly path: string })[];
}

const digestBytes = 32;
const digestedAtOnce = 2 * 1024 * 1024;
const lengthBytes = 4;

/** The engine made of `parts`: the one at the place, if it is there, or a new one. Evaluating the prelude in a cold engine takes ten times as long. */
export function keptEngine(
	engine: EngineName,
	parts: () => readonly string[],
	place: ImagePlace | undefined,
	make: () => BuiltEngine,
): BuiltEngine {
	if (place === undefined) return make();
	const file = join(place.directory, `${engine}.image`);
	if (!place.isKept) return readEngine(file) ?? make();
	const key = createImageKey(engine, parts());
	const kept = readEngine(file, key);
	if (kept) return kept;
	const made = make();
	keepEngine(file, key, made);
	return made;
}

/**
 * The program of which the module at `url` is a part, as far as it can shape an image. In a clone these are all sources beside the module: a list
 * of those that matter would miss one some day. What is published is bundled, and a bundle names the chunks it imports by their content.
 */
export function programSources(url: string): readonly string[] {
	const file = fileURLToPath(url);
	if (!file.endsWith(".ts")) return [readFileSync(file, "utf8")];
	const directory = dirname(file);
	const names = readdirSync(directory).filter((name) => name.endsWith(".ts"));
	return names.sort().flatMap((name) => [name, readFileSync(join(directory, name), "utf8")]);
}

/** Names an image by everything that it is made of: the engine's binary, the prelude, the program that evaluated it. */
export function createImageKey(engine: EngineName, parts: readonly string[]): string {
	const key = loadCrypto().createHash("sha256");
	for (const part of [engine, ...parts]) key.update(`${part.length}:`).update(part);
	return key.digest("hex");
}

/**
 * The engine that was kept, or undefined when there is none. With a key also when the file is not what was written under it: half of it, or
 * another one.
 */
export function readEngine(file: string, key?: string): BuiltEngine | undefined {
	try {
		const bytes = readFileSync(file);
		const content = bytes.subarray(digestBytes);
		if (key !== undefined && !bytes.subarray(0, digestBytes).equals(digest(content))) return undefined;
		const { header, ...parts } = readLayout((position, length) => bytes.subarray(position, position + length));
		if (key !== undefined && header.key !== key) return undefined;
		const take = ({ position, length }: Extent): Buffer<ArrayBuffer> => bytes.subarray(position, position + length);
		const { minimumPages, pages, stackPointer, places } = header;
		const memory = parts.memory.map((extent) => ({ offset: extent.offset, bytes: take(extent) }));
		const files = parts.files.map((extent) => ({ path: extent.path, content: take(extent) }));
		const image = { memory, pages, stackPointer, places };
		return { binary: take(parts.binary), minimumPages, image, ...(files.length > 0 && { files }) };
	} catch {
		return undefined;
	}
}

/** Reads where everything is. `read` answers with so many bytes of the file. */
export function readLayout(read: (position: number, length: number) => Buffer): EngineLayout {
	const start = digestBytes + lengthBytes;
	const headerBytes = read(digestBytes, lengthBytes).readUInt32LE();
	const { memory, files = [], ...header } = JSON.parse(read(start, headerBytes).toString("utf8")) as Header;
	let end = start + headerBytes;
	const next = (length: number): Extent => {
		end += length;
		return { position: end - length, length };
	};
	return {
		header,
		binary: next(header.binaryBytes),
		memory: memory.map(({ offset, length }) => ({ offset, ...next(length) })),
		files: files.map(({ path, length }) => ({ path, ...next(length) })),
	};
}

/**
 * Whether the file is what was written under the key. The thread goes on meanwhile, but for 2 ms a part: `crypto.subtle`, which has a thread for this,
 * copies all of it first, and makes the first run of a process wait three times as long.
 */
export async function isWholeEngine(file: string, key: string): Promise<boolean> {
	try {
		await using opened = await open(file);
		const part = Buffer.allocUnsafe(digestedAtOnce);
		const read = async (position: number, length: number): Promise<Buffer> => {
			const { bytesRead } = await opened.read(part, 0, length, position);
			return part.subarray(0, bytesRead);
		};
		const written = Buffer.from(await read(0, digestBytes));
		const headerBytes = (await read(digestBytes, lengthBytes)).readUInt32LE();
		const header = (await read(digestBytes + lengthBytes, headerBytes)).toString("utf8");
		if ((JSON.parse(header) as Header).key !== key) return false;
		const found = loadCrypto().createHash("sha256");
		for (let position = digestBytes; ; ) {
			const content = await read(position, part.length);
			if (content.length === 0) return found.digest().equals(written);
			found.update(content);
			position += content.length;
		}
	} catch {
		return false;
	}
}

/** Keeps the engine in place of the one before. Does nothing when it cannot: the next process evaluates the prelude again. */
function keepEngine(file: string, key: string, engine: BuiltEngine): void {
	try {
		mkdirSync(dirname(file), { recursive: true, mode: modes.program.directory });
		writeEngine(file, key, engine, modes.program.file);
	} catch {
		// A full disk or a directory of somebody else, say. Nothing depends on the file.
	}
}

/** Who may read a file of the program, and one of a data directory. */
export const modes = {
	program: { directory: 0o755, file: 0o644 },
	data: { directory: 0o700, file: 0o600 },
} as const;

/**
 * Writes the engine in place of the one before: whoever reads the file at that time reads all of the one or of the other. Throws when the directory is
 * not there: one that was removed meanwhile is not to come back.
 */
export function writeEngine(
	file: string,
	key: string,
	{ binary, minimumPages, image, files = [] }: BuiltEngine,
	mode: number,
): void {
	const { memory, ...rest } = image;
	const header: Header = {
		key,
		binaryBytes: binary.length,
		minimumPages,
		...rest,
		memory: memory.map(({ offset, bytes }) => ({ offset, length: bytes.length })),
		...(files.length > 0 && { files: files.map(({ path, content }) => ({ path, length: content.length })) }),
	};
	const text = Buffer.from(JSON.stringify(header));
	const length = Buffer.alloc(lengthBytes);
	length.writeUInt32LE(text.length);
	const segments = memory.map(({ bytes }) => bytes);
	const content = Buffer.concat([length, text, binary, ...segments, ...files.map(({ content }) => content)]);
	const unfinished = `${file}.${loadCrypto().randomBytes(6).toString("hex")}`;
	try {
		writeFileSync(unfinished, Buffer.concat([digest(content), content]), { mode, flag: "wx" });
		renameSync(unfinished, file);
	} catch (cause) {
		rmSync(unfinished, { force: true });
		throw cause;
	}
}

const digest = (content: Uint8Array): Buffer => loadCrypto().hash("sha256", content, "buffer");
