import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname, join, normalize, posix } from "node:path";

export type TreeEntry =
	| { readonly kind: "directory"; readonly isShared: boolean }
	/** The bytes, or the path of the file on this machine that has them. */
	| { readonly kind: "file"; readonly source: string | Uint8Array; readonly isExecutable: boolean }
	| { readonly kind: "link"; readonly target: string };

/**
 * What will be a root file system, by path without a slash in front. It knows what is there and who may execute it, and nothing else of the files that
 * it is made of: owners, times and other rights of this machine stay here.
 */
export class RootTree {
	readonly #entries = new Map<string, TreeEntry>();

	/** Sorted, so that what is made of equal trees is equal; directories are in front of what is in them. */
	get entries(): readonly (readonly [string, TreeEntry])[] {
		return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
	}

	has(path: string): boolean {
		return this.#entries.has(path);
	}

	/** The files below a path that are files of this machine: the place in the tree, and that of the file. */
	filesBelow(path: string): readonly (readonly [string, string])[] {
		return this.entries.flatMap(([place, entry]) =>
			place.startsWith(`${path}/`) && entry.kind === "file" && typeof entry.source === "string"
				? [[place, entry.source] as const]
				: [],
		);
	}

	addDirectory(path: string): void {
		this.#add(path, { kind: "directory", isShared: false });
	}

	/** One in which everybody may make files of their own, as in /tmp: what an engine mounts there has its mode. */
	addSharedDirectory(path: string): void {
		this.#add(path, { kind: "directory", isShared: true });
	}

	/** A file of this machine. */
	addFile(path: string, source: string): void {
		this.#add(path, { kind: "file", source, isExecutable: (statSync(source).mode & 0o100) !== 0 });
	}

	addText(path: string, text: string, { isExecutable = false } = {}): void {
		this.#add(path, { kind: "file", source: Buffer.from(text), isExecutable });
	}

	/** Puts a text in the place of a file that is there. */
	replaceText(path: string, text: string): void {
		this.#entries.delete(path);
		this.addText(path, text);
	}

	addLink(path: string, target: string): void {
		this.#add(path, { kind: "link", target });
	}

	/**
	 * A directory of this machine with all that is below. A link that leads out of it is left out, because what it leads to is this machine's; so are
	 * devices, sockets and pipes.
	 */
	addTree(path: string, directory: string, isWanted: (path: string) => boolean = () => true): void {
		this.addDirectory(path);
		const visit = (below: string): void => {
			for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
				const name = join(below, entry.name);
				if (!isWanted(name)) continue;
				if (entry.isDirectory()) {
					this.addDirectory(join(path, name));
					visit(name);
				} else if (entry.isFile()) this.addFile(join(path, name), join(directory, name));
				else if (entry.isSymbolicLink()) {
					const target = readlinkSync(join(directory, name));
					const place = posix.join(dirname(name), target);
					if (!posix.isAbsolute(target) && place !== ".." && !place.startsWith("../") && isWanted(place))
						this.addLink(join(path, name), target);
				}
			}
		};
		visit("");
	}

	/** Throws when something else is already there: what was put first would be lost without a word. */
	#add(path: string, entry: TreeEntry): void {
		if (path === "" || path !== normalize(path) || path.startsWith("/") || path.startsWith(".."))
			throw new Error(`${JSON.stringify(path)} is no path in an image.`);
		const present = this.#entries.get(path);
		if (present && !isSame(present, entry))
			throw new Error(`Two files want to be /${path} in the image: ${describe(present)}, ${describe(entry)}.`);
		const parent = dirname(path);
		if (parent !== "." && this.#entries.get(parent)?.kind !== "directory") this.addDirectory(parent);
		this.#entries.set(path, entry);
	}
}

function isSame(a: TreeEntry, b: TreeEntry): boolean {
	if (a.kind === "file")
		return b.kind === "file" && (a.source === b.source || Buffer.compare(bytesOf(a.source), bytesOf(b.source)) === 0);
	if (a.kind === "link") return b.kind === "link" && a.target === b.target;
	return b.kind === "directory";
}

const bytesOf = (source: string | Uint8Array): Uint8Array => (typeof source === "string" ? readFileSync(source) : source);

function describe(entry: TreeEntry): string {
	if (entry.kind === "directory") return "a directory";
	if (entry.kind === "link") return `a link to ${entry.target}`;
	return typeof entry.source === "string" ? entry.source : "a text";
}
