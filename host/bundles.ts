import { createHash } from "node:crypto";
import { RuntimeError } from "./contract/errors.ts";
import { excerpt } from "./contract/excerpt.ts";
import { requireJson } from "./contract/json-text.ts";
import type { Limits } from "./contract/limits.ts";
import { layout } from "./layout.ts";
import { requireScript, type ScriptSource } from "./run-options.ts";
import type { Store } from "./store/store.ts";

/** A bundle that was uploaded. */
export interface BundleHead {
	/** `sha256:` and the hash of its text: the same bundle is kept once. */
	readonly id: string;
	/** Bytes of its text. */
	readonly size: number;
	/** Milliseconds since the Unix epoch. */
	readonly createdAt: number;
}

/**
 * Scripts that are kept to be run many times: JSON texts `{name, source, language?, sourceMap?}`, as `cronium bundle` prints them. One module with
 * everything in it: there are no paths to unpack, so none can lead elsewhere.
 */
export class Bundles {
	readonly #store: Store;
	readonly #limits: Limits;

	constructor(store: Store, limits: Limits) {
		this.#store = store;
		this.#limits = limits;
	}

	/** Keeps a bundle. Throws `invalid` or `too-large` for one that could not be run. */
	async put(text: string): Promise<BundleHead> {
		requireScript(
			JSON.parse(requireJson(text, this.#limits, { name: "the bundle", maxBytesLimit: "maxSourceBytes" })),
			this.#limits,
		);
		const id = `sha256:${createHash("sha256").update(text).digest("hex")}`;
		await this.#store.commit({
			checks: [{ key: layout.bundle(id), is: "absent" }],
			operations: [{ type: "set", key: layout.bundle(id), value: text }],
		});
		const [head] = (await this.list()).filter((one) => one.id === id);
		if (!head) throw new RuntimeError("unavailable", `The bundle ${id} was removed at the same time.`);
		return head;
	}

	/** The script of a bundle. Throws `not-found`. */
	async get(id: unknown): Promise<ScriptSource> {
		const entry = typeof id === "string" ? await this.#store.get(layout.bundle(id)) : undefined;
		if (!entry) throw new RuntimeError("not-found", `There is no bundle ${excerpt(String(id))}.`);
		return JSON.parse(entry.value) as ScriptSource;
	}

	async list(): Promise<readonly BundleHead[]> {
		const heads = await this.#store.heads({ prefix: layout.bundles, limit: maxListed });
		return heads.map(({ key, size, createdAt }) => ({ id: String(key.at(-1)), size, createdAt }));
	}

	/** Removes a bundle, and tells whether there was one. Runs that have begun are not concerned. */
	async delete(id: string): Promise<boolean> {
		const result = await this.#store.commit({
			checks: [{ key: layout.bundle(id), is: "present" }],
			operations: [{ type: "delete", key: layout.bundle(id) }],
		});
		return result.committed;
	}
}

const maxListed = 10_000;
