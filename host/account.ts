import { RuntimeError } from "./contract/errors.ts";
import { describeLimit, type Limits } from "./contract/limits.ts";
import { layout } from "./layout.ts";
import type { CommitResult, StoreAccount } from "./store/store.ts";

/** Whose bytes are counted, and with which limit. */
export interface AccountOwner {
	readonly namespace: string;
	readonly limits: Limits;
}

/** What a transaction that writes or deletes something of a namespace has to name. */
export function accountOf({ namespace, limits }: AccountOwner): StoreAccount {
	return { key: layout.account(namespace), maxBytes: limits.maxNamespaceBytes };
}

/** The answer to a transaction that was not refused for its account. */
export type Answered = Exclude<CommitResult, FullAccount>;
type FullAccount = Extract<CommitResult, { readonly reason: "account" }>;

/** Throws `too-large`, naming `maxNamespaceBytes`, when a transaction was refused for its account. */
export function requireRoom(result: CommitResult, owner: AccountOwner): Answered {
	if (result.committed || result.reason !== "account") return result;
	const { namespace, limits } = owner;
	throw new RuntimeError(
		"too-large",
		`The namespace ${namespace} has ${result.storedBytes} bytes stored, and this would add ${result.addedBytes}; the limit maxNamespaceBytes is ${limits.maxNamespaceBytes}.`,
		{ limit: describeLimit(limits, "maxNamespaceBytes") },
	);
}

/** Whether an error says that a namespace is full: a repetition may succeed when something was deleted meanwhile. */
export function isNamespaceFull(error: unknown): boolean {
	return error instanceof RuntimeError && error.details.limit?.name === "maxNamespaceBytes";
}
