import { RuntimeError } from "../contract/errors.ts";
import type { Answer, Key, KeyInfo, KeyPage, ListOptions, Metadata } from "../contract/generated/types.ts";
import { kindOf, requireKey } from "../contract/key.ts";
import { describeLimit, type Limits } from "../contract/limits.ts";
import type { Execution } from "../execution.ts";
import { layout } from "../layout.ts";
import type { Store, StoreHead } from "../store/store.ts";
import { whenReady } from "./answer.ts";

/** One page of the keys of the run's namespace. */
export function listKeys(
	store: Store,
	{ namespace, limits }: Pick<Execution, "namespace" | "limits">,
	options: ListOptions | undefined,
	metadataOf: (head: StoreHead) => Metadata,
): Answer<KeyPage> {
	const { prefix, after, limit } = requireListOptions(options, limits);
	const items: KeyInfo[] = [];
	const more = (last: Key | undefined): Answer<KeyPage> => {
		// One more than wanted tells whether there is another page.
		const wanted = Math.min(limit + 1 - items.length, entriesAtOnce);
		const found = store.heads({
			prefix: layout.variables(namespace),
			...(prefix !== "" && { startsWith: prefix }),
			...(last !== undefined && { after: layout.variable(namespace, last) }),
			limit: wanted,
		});
		return whenReady(found, (heads): Answer<KeyPage> => {
			for (const head of heads) items.push({ key: head.key.at(-1) as Key, metadata: metadataOf(head) });
			if (items.length > limit) {
				items.length = limit;
				return { items, cursor: toCursor((items.at(-1) as KeyInfo).key) };
			}
			return heads.length < wanted ? { items } : more(items.at(-1)?.key);
		}) as Answer<KeyPage>;
	};
	return more(after);
}

// LMDB touches values also when only their heads are wanted, 0.2 ms for a MiB: a read must not hold up a thread for long.
const entriesAtOnce = 128;
const defaultLimit = 100;

function requireListOptions(
	options: ListOptions | undefined | null,
	limits: Limits,
): { readonly prefix: string; readonly after: Key | undefined; readonly limit: number } {
	if (options === undefined || options === null)
		return { prefix: "", after: undefined, limit: Math.min(defaultLimit, limits.maxPageSize) };
	if (typeof options !== "object" || Array.isArray(options))
		throw new RuntimeError("invalid", `options must be an object; it is ${kindOf(options)}.`);
	const prefix = options.prefix ?? "";
	if (typeof prefix !== "string") throw new RuntimeError("invalid", `prefix must be a text; it is ${kindOf(prefix)}.`);
	// A prefix that no key can have is a mistake; `.` alone is one of `.a`.
	if (prefix !== "" && prefix !== "." && prefix !== "..") renamed("key", "prefix", () => requireKey(prefix, limits));
	const limit = options.limit ?? Math.min(defaultLimit, limits.maxPageSize);
	if (!Number.isSafeInteger(limit) || limit < 1 || limit > limits.maxPageSize)
		throw new RuntimeError(
			"invalid",
			`limit is ${typeof limit === "number" ? limit : kindOf(limit)}; it must be a whole number from 1 to ${limits.maxPageSize} (maxPageSize).`,
			{ limit: describeLimit(limits, "maxPageSize") },
		);
	return { prefix, after: fromCursor(options.cursor, prefix, limits), limit };
}

/** The last key of the page: the next one goes on behind it, also when it was deleted meanwhile. */
const toCursor = (key: Key): string => `${cursorForm}${Buffer.from(key, "utf8").toString("base64url")}`;
const cursorForm = "1.";

function fromCursor(cursor: unknown, prefix: string, limits: Limits): Key | undefined {
	if (cursor === undefined || cursor === null) return undefined;
	if (typeof cursor === "string" && cursor.startsWith(cursorForm) && cursor.length < 8 * limits.maxKeyCharacters) {
		const key = Buffer.from(cursor.slice(cursorForm.length), "base64url").toString("utf8");
		if (toCursor(key) === cursor && key.startsWith(prefix) && isKey(key, limits)) return key;
	}
	throw new RuntimeError("invalid", "cursor must be one that a list with the same prefix returned.");
}

function isKey(key: string, limits: Limits): boolean {
	try {
		requireKey(key, limits);
		return true;
	} catch {
		return false;
	}
}

function renamed(from: string, to: string, check: () => void): void {
	try {
		check();
	} catch (error) {
		if (!(error instanceof RuntimeError)) throw error;
		throw new RuntimeError(error.code, error.message.replace(from, to), error.details);
	}
}
