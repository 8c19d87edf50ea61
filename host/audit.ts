import { RuntimeError } from "./contract/errors.ts";
import type { Store } from "./store/store.ts";

/** Something that an operator, or a program in the operator's name, has done. Names only: no value, no credential. */
export interface ControlAction {
	/** `executions.start`, `tokens.revoke`, … */
	readonly action: string;
	/** Who did it: the name of a credential, never the credential. */
	readonly actor: string;
	readonly namespace?: string;
	readonly execution?: string;
	/** The name of what was changed. */
	readonly key?: string;
}

/** A request that did not prove who sent it. */
export interface AuthenticationFailure {
	/** Where it came in: `control`, `sidecar`, `bridge`. */
	readonly door: string;
	/** One of a few: `expired`, `wrong audience`. Not what the request said. */
	readonly reason: string;
	/** Where it came from. */
	readonly address?: string;
}

export interface AuditLogOptions {
	/** Failures of one door and reason share an entry for so long. */
	readonly windowMs?: number;
}

const addressExamples = 3;
const other = "other";
/** Pairs of door and reason that are told apart; more of them are one. */
const maxKinds = 64;
const maxNameCharacters = 255;

interface Failures {
	readonly door: string;
	readonly reason: string;
	count: number;
	addresses: Set<string>;
	/** Nothing is written before it has fired. */
	timer: NodeJS.Timeout | undefined;
}

/** Writes to the audit log what is no effect of a run: those carry their entries themselves. Text in entries is cut at 255 characters. */
export class AuditLog implements AsyncDisposable {
	readonly #store: Store;
	readonly #windowMs: number;
	readonly #failures = new Map<string, Failures>();
	readonly #writing = new Set<Promise<void>>();
	#disposed = false;

	constructor(store: Store, { windowMs = 60_000 }: AuditLogOptions = {}) {
		this.#store = store;
		this.#windowMs = windowMs;
	}

	/** Resolves when the entry is durable. Rejects with `unavailable` when it cannot be written: then the action must not be done either. */
	async record(action: ControlAction): Promise<void> {
		await this.#write(describeAction(action));
	}

	/**
	 * Counts a failure. The first of a door and reason is written at once, and those that follow as one entry a minute, with their number and a few
	 * of the addresses: however many there are, they take little memory and little of the log.
	 */
	authenticationFailure({ door, reason, address }: AuthenticationFailure): void {
		if (this.#disposed) return;
		const failures = this.#failuresOf(cut(door), cut(reason));
		failures.count++;
		if (address !== undefined && failures.addresses.size < addressExamples) failures.addresses.add(cut(address));
		if (!failures.timer) this.#flush(failures);
	}

	/** Writes what has been counted. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#disposed = true;
		for (const failures of this.#failures.values()) {
			clearTimeout(failures.timer);
			this.#post(failures);
		}
		await Promise.all(this.#writing);
	}

	#failuresOf(door: string, reason: string): Failures {
		const kind = JSON.stringify([door, reason]);
		const known = this.#failures.get(kind);
		if (known) return known;
		if (this.#failures.size >= maxKinds && door !== other) return this.#failuresOf(other, other);
		const failures: Failures = { door, reason, count: 0, addresses: new Set(), timer: undefined };
		this.#failures.set(kind, failures);
		return failures;
	}

	#flush(failures: Failures): void {
		this.#post(failures);
		failures.timer = setTimeout(() => {
			failures.timer = undefined;
			if (failures.count > 0) this.#flush(failures);
			else this.#failures.delete(JSON.stringify([failures.door, failures.reason]));
		}, this.#windowMs).unref();
	}

	#post(failures: Failures): void {
		const { door, reason, count, addresses } = failures;
		if (count === 0) return;
		failures.count = 0;
		failures.addresses = new Set();
		const entry = JSON.stringify({ type: "authentication-failure", door, reason, count, addresses: [...addresses] });
		const writing = this.#write(entry).catch((cause: Error) => {
			// Told with those that follow, and, when there is no store any more to tell it to, to the operator.
			failures.count += count;
			if (this.#disposed)
				process.emitWarning(`${count} authentication failures are not in the audit log: ${cause.message}`, "CroniumWarning");
		});
		this.#writing.add(writing);
		void writing.finally(() => this.#writing.delete(writing));
	}

	async #write(entry: string): Promise<void> {
		const result = await this.#store.commit({ operations: [], audit: [entry] });
		if (!result.committed) throw new RuntimeError("internal", "The store refused an audit entry that has nothing to refuse.");
	}
}

/** The entry of an action, for a transaction that does it. */
export function describeAction({ action, actor, namespace, execution, key }: ControlAction): string {
	const names = Object.entries({ action, actor, namespace, execution, key });
	const given = names.map(([name, text]) => [name, text === undefined ? undefined : cut(text)]);
	return JSON.stringify({ type: "control", ...Object.fromEntries(given) });
}

function cut(text: string): string {
	return text.slice(0, maxNameCharacters).toWellFormed();
}
