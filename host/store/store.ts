import type { Answer } from "../contract/generated/types.ts";

/**
 * A key: a tuple ordered element by element; numbers (safe integers ≥ 0) before texts, numbers by value, texts by their UTF-8 bytes,
 * and a tuple before every longer one that begins with it. Up to 8 elements; `maxKeyBytes` of 1,900 encoded.
 */
export type StoreKey = readonly (string | number)[];

/** An opaque version: compared for equality only, never used twice in one store. */
export type StoreVersion = string;

/** What the store knows of a value. An expired entry is absent everywhere: in reads, lists and checks. */
export interface StoreHead {
	readonly key: StoreKey;
	readonly version: StoreVersion;
	/** The length of the value in bytes of UTF-8. */
	readonly size: number;
	/** Milliseconds since the Unix epoch; set when the key came into being. */
	readonly createdAt: number;
	/** Milliseconds since the Unix epoch; set by every write. */
	readonly updatedAt: number;
	/** Milliseconds since the Unix epoch. */
	readonly expiresAt?: number;
	/** Who wrote it last, as the writer said. */
	readonly author: string;
}

/** A stored value with what the store knows of it. */
export interface StoreEntry extends StoreHead {
	readonly value: string;
}

/** What must hold for a transaction to be applied. */
export type StoreCheck =
	| { readonly key: StoreKey; readonly is: "absent" | "present" }
	| { readonly key: StoreKey; readonly version: StoreVersion };

/** One change of a transaction. They are applied in order. */
export type StoreOperation =
	/** Writes the value; an expiry that was set before is cleared unless `expiresAt` is given. */
	| {
			readonly type: "set";
			readonly key: StoreKey;
			readonly value: string;
			readonly expiresAt?: number;
			readonly author?: string;
	  }
	/**
	 * Adds to the JSON number stored under the key, 0 when absent; keeps the expiry. The transaction fails with
	 * `not-a-number` when the value is something else, with `out-of-range` when the sum is not finite or is an integer beyond ±(2^53−1).
	 */
	| { readonly type: "increment"; readonly key: StoreKey; readonly by: number; readonly author?: string }
	| { readonly type: "delete"; readonly key: StoreKey }
	/**
	 * Copies what is stored under the key, an expired entry included, to the key `to` with the entry's version appended, if it is there and its
	 * value has more than `overBytes` bytes. Put before the operation that replaces the entry, so that a former value stays readable. The copy gets the transaction's version and time, keeps the author, and does not expire.
	 */
	| { readonly type: "archive"; readonly key: StoreKey; readonly to: StoreKey; readonly overBytes: number }
	/** Deletes every key that begins with the tuple. */
	| { readonly type: "delete-prefix"; readonly prefix: StoreKey };

/** Checks and changes that are applied together or not at all. Plain data: it can cross threads and processes. */
export interface StoreTransaction {
	readonly checks?: readonly StoreCheck[];
	readonly operations: readonly StoreOperation[];
	/** May use the space that is kept back for final statuses when the store is full, and is not refused for its account. */
	readonly reserve?: boolean;
	/** Whose stored bytes this transaction changes. All that writes or deletes an owner's entries has to name it: the store does not know whose they are. */
	readonly account?: StoreAccount;
	/**
	 * Entries for the audit log, each the text of a JSON object of up to 8 KiB. The store gives them sequence, time and authentication code, and they
	 * are there if and only if the transaction was applied. A store that was opened without an audit log drops them. With no operations beside
	 * them they may use the space that is kept back.
	 */
	readonly audit?: readonly string[];
}

/**
 * A number of stored bytes, kept as the value of an entry of its own: the sum, over the entries that belong to the account, of `storedBytes` of
 * each, expired ones included. Its changes are not in the change feed.
 */
export interface StoreAccount {
	readonly key: StoreKey;
	/** A transaction that adds to the number and would end above this is not applied. */
	readonly maxBytes: number;
}

/** What became of a transaction. A failed check is an answer, not an exception. */
export type CommitResult =
	| {
			readonly committed: true;
			/** The version that every key written by this transaction now has. */
			readonly version: StoreVersion;
			/** The new value of each `increment`, in order. */
			readonly sums: readonly number[];
	  }
	| {
			readonly committed: false;
			readonly reason: "check" | "not-a-number" | "out-of-range";
			/** Which check (or which operation, for the other reasons) failed. */
			readonly index: number;
			/** The version of that key at that moment; absent when there is none. */
			readonly currentVersion?: StoreVersion;
	  }
	| {
			readonly committed: false;
			/** It would add more than the account has left. */
			readonly reason: "account";
			/** The account's bytes at that moment. */
			readonly storedBytes: number;
			/** The bytes that the transaction would add. */
			readonly addedBytes: number;
	  };

/** Which entries to list: those whose key begins with `prefix`, in key order. */
export interface StoreRange {
	readonly prefix: StoreKey;
	/** Narrows to keys whose last compared element begins with this text: ["variables", ns] + "ab" finds ["variables", ns, "abc"]. */
	readonly startsWith?: string;
	/** Only keys behind this one, in the direction of the list. */
	readonly after?: StoreKey;
	readonly reverse?: boolean;
	/** At most this many entries. */
	readonly limit: number;
}

export interface StoreGetOptions {
	/** With `true` an entry is found also after it has expired, as long as it takes space. */
	readonly expired?: boolean;
}

/** A hint that keys changed. Hints come at least once and may be joined; read the keys for their state. */
export type StoreChange =
	| { readonly type: "changed"; readonly cursor: string; readonly keys: readonly StoreKey[] }
	/** The cursor was too old to catch up from: list again, then go on from this one. */
	| { readonly type: "reset"; readonly cursor: string };

/**
 * Ordered keys with atomic multi-key transactions, versions and a change feed.
 * Errors: `unavailable` when the store cannot be read or written now (full disk, writer gone), and nothing was changed;
 * `too-large` for a key over the limit; `internal` for a damaged store. After `close` every call fails with `unavailable`.
 */
export interface Store {
	/** Sees every transaction whose commit was acknowledged to anyone, in any thread or process, before the call. */
	get(key: StoreKey, options?: StoreGetOptions): Answer<StoreEntry | undefined>;
	/** One consistent view; limited so that no read outlives the call. */
	list(range: StoreRange): Answer<readonly StoreEntry[]>;
	/** The same without the values, which may have megabytes. */
	heads(range: StoreRange): Answer<readonly StoreHead[]>;
	/** Entries that have expired but still take space, oldest expiry first. The owner of the data decides how they go (archive, delete). */
	expired(limit: number): Answer<readonly StoreHead[]>;
	/**
	 * Resolves when the transaction is durable, or was refused. Transactions of one account (or of none) are applied in the order of these calls;
	 * accounts take turns, so that one that floods does not keep the others waiting.
	 */
	commit(transaction: StoreTransaction): Promise<CommitResult>;
	/** Hints of changes under `prefix`, from `cursor` on (from now on without one), until the signal aborts. */
	changes(prefix: StoreKey, options?: { readonly cursor?: string; readonly signal?: AbortSignal }): AsyncIterable<StoreChange>;
	/** Waits for what was posted, then lets go of everything. */
	close(): Promise<void>;
}
