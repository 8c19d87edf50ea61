import { loadCrypto } from "../crypto.ts";

const sectionIds = { custom: 0, import: 2, memory: 5, export: 7 } as const;

const externalKinds = { function: 0, table: 1, memory: 2 } as const;

/** How `rewriteModule` changes a module. */
export interface ModuleRewrite {
	/** The exports to keep; the cost of instantiating a module follows their number. */
	readonly exports: readonly string[];
	/**
	 * Module and name under which the module imports the memory that it would have defined. One compiled module then
	 * serves every memory limit: the maximum belongs to the `WebAssembly.Memory` that is handed in.
	 */
	readonly memoryImport?: readonly [module: string, name: string];
	/** What to ask of the memory that the module imports, now or already, instead of what it says itself. */
	readonly minimumPages?: number;
	/** A name to export the module's only table by. */
	readonly tableExport?: string;
}

/** A rewritten module and the least memory that it asks for. */
export interface RewrittenModule {
	readonly bytes: Uint8Array<ArrayBuffer>;
	readonly minimumPages: number;
}

/**
 * Refuses bytes other than the reviewed ones: the engines read structures of QuickJS at fixed offsets, so another build
 * must be looked at before it runs. Throws an Error that says which file differs and what to do.
 */
export function requireDigest(bytes: Uint8Array, file: string, sha256: string): void {
	const actual = loadCrypto().createHash("sha256").update(bytes).digest("hex");
	if (actual !== sha256)
		throw new Error(
			`${file} has the SHA-256 ${actual}; the reviewed one is ${sha256}. An upgrade of the engine is a change to review: ` +
				"check the offsets in host/sandbox against the new build, run the tests, then change the digest.",
		);
}

/** Keeps the exports that are used, turns the module's own memory into an import and drops names and other custom sections. */
export function rewriteModule(bytes: Uint8Array, rewrite: ModuleRewrite): RewrittenModule {
	const reader = new ModuleReader(bytes);
	const sections: { id: number; content: Uint8Array }[] = [];
	let minimumPages = 0;
	for (const section of reader.sections()) {
		if (section.id === sectionIds.custom) continue;
		if (section.id === sectionIds.export) {
			sections.push({ id: section.id, content: rewriteExports(section.content, rewrite) });
		} else if (section.id === sectionIds.memory && rewrite.memoryImport) {
			minimumPages = readMinimum(section.content);
		} else sections.push(section);
	}
	if (rewrite.memoryImport) {
		const imports = sections.find(({ id }) => id === sectionIds.import);
		if (!imports || minimumPages === 0) throw new Error("The module has no imports or no memory of its own.");
		minimumPages = rewrite.minimumPages ?? minimumPages;
		imports.content = addMemoryImport(imports.content, rewrite.memoryImport, minimumPages);
	} else if (rewrite.minimumPages !== undefined) {
		const imports = sections.find(({ id }) => id === sectionIds.import);
		if (!imports) throw new Error("The module has no imports.");
		imports.content = lowerMinimum(imports.content, rewrite.minimumPages);
		minimumPages = rewrite.minimumPages;
	}
	const parts: Uint8Array[] = [bytes.subarray(0, 8)];
	for (const { id, content } of sections) parts.push(Uint8Array.of(id), encodeUnsigned(content.length), content);
	return { bytes: new Uint8Array(Buffer.concat(parts)), minimumPages };
}

class ModuleReader {
	readonly bytes: Uint8Array;
	offset = 0;

	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}

	*sections(): Generator<{ id: number; content: Uint8Array }> {
		this.offset = 8;
		while (this.offset < this.bytes.length) {
			const id = this.byte();
			const length = this.unsigned();
			if (this.offset + length > this.bytes.length) throw new Error("The module ends in the middle of a section.");
			yield { id, content: this.bytes.subarray(this.offset, this.offset + length) };
			this.offset += length;
		}
	}

	byte(): number {
		const value = this.bytes[this.offset++];
		if (value === undefined) throw new Error("The module ends in the middle of a section.");
		return value;
	}

	unsigned(): number {
		let value = 0;
		for (let shift = 0; shift < 35; shift += 7) {
			const byte = this.byte();
			value += (byte & 0x7f) * 2 ** shift;
			if (byte < 0x80) return value;
		}
		throw new Error("A number of the module is too long.");
	}

	name(): string {
		const length = this.unsigned();
		const start = this.offset;
		this.offset += length;
		return Buffer.from(this.bytes.subarray(start, this.offset)).toString("utf8");
	}
}

function rewriteExports(content: Uint8Array, { exports: names, tableExport }: ModuleRewrite): Uint8Array {
	const reader = new ModuleReader(content);
	const kept: Uint8Array[] = [];
	const found = new Set<string>();
	for (let count = reader.unsigned(); count > 0; count--) {
		const start = reader.offset;
		const name = reader.name();
		reader.byte();
		reader.unsigned();
		if (!names.includes(name)) continue;
		found.add(name);
		kept.push(content.subarray(start, reader.offset));
	}
	const missing = names.filter((name) => !found.has(name));
	if (missing.length > 0) throw new Error(`The module does not export ${missing.join(", ")}.`);
	if (tableExport !== undefined) kept.push(encodeName(tableExport), Uint8Array.of(externalKinds.table, 0));
	return Buffer.concat([encodeUnsigned(found.size + (tableExport === undefined ? 0 : 1)), ...kept]);
}

function readMinimum(content: Uint8Array): number {
	const reader = new ModuleReader(content);
	if (reader.unsigned() !== 1) throw new Error("The module has more than one memory.");
	reader.byte();
	return reader.unsigned();
}

function addMemoryImport(content: Uint8Array, [module, name]: readonly [string, string], minimumPages: number): Uint8Array {
	const reader = new ModuleReader(content);
	const count = reader.unsigned();
	const rest = content.subarray(reader.offset);
	// Without a maximum in the import, a memory with any maximum fits.
	const memory = [encodeName(module), encodeName(name), Uint8Array.of(externalKinds.memory, 0x00), encodeUnsigned(minimumPages)];
	return Buffer.concat([encodeUnsigned(count + 1), rest, ...memory]);
}

/** Replaces the limits of the memory that the module imports by a minimum without a maximum. */
function lowerMinimum(content: Uint8Array, minimumPages: number): Uint8Array {
	const reader = new ModuleReader(content);
	for (let count = reader.unsigned(); count > 0; count--) {
		reader.name();
		reader.name();
		const kind = reader.byte();
		if (kind === externalKinds.function) {
			reader.unsigned();
			continue;
		}
		if (kind !== externalKinds.memory) throw new Error("The module imports something other than functions and a memory.");
		const start = reader.offset;
		const hasMaximum = (reader.byte() & 1) === 1;
		reader.unsigned();
		if (hasMaximum) reader.unsigned();
		return Buffer.concat([
			content.subarray(0, start),
			Uint8Array.of(0),
			encodeUnsigned(minimumPages),
			content.subarray(reader.offset),
		]);
	}
	throw new Error("The module imports no memory.");
}

function encodeName(name: string): Uint8Array {
	const bytes = Buffer.from(name, "utf8");
	return Buffer.concat([encodeUnsigned(bytes.length), bytes]);
}

function encodeUnsigned(value: number): Uint8Array {
	const bytes: number[] = [];
	let rest = value;
	do {
		const more = rest >= 0x80;
		bytes.push((rest % 0x80) | (more ? 0x80 : 0));
		rest = Math.floor(rest / 0x80);
	} while (rest > 0);
	return Uint8Array.from(bytes);
}
