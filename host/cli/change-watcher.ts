import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname, join } from "node:path";

/** Editors write a file in several steps. */
const settleMs = 60;

/** Tells when one of some files has changed or come. It watches their directories: editors put a new file in the place of the old one. */
export class ChangeWatcher implements Disposable {
	readonly #watchers = new Map<string, FSWatcher>();
	/** What each file was like when it was last looked at. */
	#files = new Map<string, string>();
	#changed = Promise.withResolvers<void>();
	#timer: NodeJS.Timeout | undefined;

	/** Resolves at the next change. */
	next(): Promise<void> {
		this.#changed = Promise.withResolvers<void>();
		return this.#changed.promise;
	}

	/** From now on these files, and no others. One that has changed since the given time, before it was watched, counts as a change. */
	watch(files: readonly string[], since = Number.POSITIVE_INFINITY): void {
		const known = this.#files;
		this.#files = new Map(files.map((file) => [file, known.get(file) ?? describe(file, since)]));
		const directories = new Set(files.map((file) => dirname(file)));
		for (const [directory, watcher] of this.#watchers)
			if (!directories.has(directory)) {
				watcher.close();
				this.#watchers.delete(directory);
			}
		for (const directory of directories) {
			if (this.#watchers.has(directory)) continue;
			try {
				const watcher = watch(directory, (_event, name) => {
					if (name === null || this.#files.has(join(directory, name))) this.#look();
				});
				watcher.on("error", () => this.#watchers.delete(directory));
				this.#watchers.set(directory, watcher);
			} catch {
				// There is no such directory now.
			}
		}
		if (Number.isFinite(since)) this.#look();
	}

	[Symbol.dispose](): void {
		clearTimeout(this.#timer);
		for (const watcher of this.#watchers.values()) watcher.close();
	}

	/** A little later, when whoever writes is done. A file that is only gone is about to come back. */
	#look(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			let isChanged = false;
			for (const [file, before] of this.#files) {
				const now = describe(file);
				if (now === before || now === gone) continue;
				this.#files.set(file, now);
				isChanged = true;
			}
			if (isChanged) this.#changed.resolve();
		}, settleMs);
	}
}

const gone = "gone";

/** What tells one state of a file from another; that of a file which is younger than `since` is like no other. */
function describe(file: string, since = Number.POSITIVE_INFINITY): string {
	const found = statSync(file, { throwIfNoEntry: false, bigint: true });
	if (!found) return gone;
	return found.mtimeMs > since ? "young" : `${found.ino}/${found.mtimeNs}/${found.size}`;
}
