import { systemErrors } from "./errno.ts";

export interface FileLimits {
	/** Contents, in the blocks that they take, and `entryBytes` and the name of every file and directory. Also the longest file, holes included. */
	readonly maxBytes: number;
	/** Files and directories. */
	readonly maxEntries: number;
}

/** What a file or a directory takes of the host's memory beside its content and its name. */
export const entryBytes = 1024;

/** What one run's files take, and may take. Over a limit is ENOSPC. */
export class FileSpace {
	#limits: FileLimits;
	#bytes = 0;
	#entries = 0;

	constructor(limits: FileLimits) {
		this.#limits = limits;
	}

	get limits(): FileLimits {
		return this.#limits;
	}

	/** Leaves so much room for more. */
	allow({ maxBytes, maxEntries }: FileLimits): void {
		this.#limits = { maxBytes: this.#bytes + maxBytes, maxEntries: this.#entries + maxEntries };
	}

	get usedBytes(): number {
		return this.#bytes;
	}

	get usedEntries(): number {
		return this.#entries;
	}

	/** To be asked before what is counted is allocated. */
	take(bytes: number): void {
		if (this.#bytes + bytes > this.limits.maxBytes) throw systemErrors.ENOSPC;
		this.#bytes += bytes;
	}

	give(bytes: number): void {
		this.#bytes -= bytes;
	}

	takeEntry(name: string): void {
		if (this.#entries >= this.limits.maxEntries) throw systemErrors.ENOSPC;
		this.take(entryBytes + name.length);
		this.#entries++;
	}

	giveEntry(name: string): void {
		this.give(entryBytes + name.length);
		this.#entries--;
	}

	reset(): void {
		this.#bytes = 0;
		this.#entries = 0;
	}
}
