import type { Operation } from "../contract/generated/operations.ts";
import type { Execution } from "../execution.ts";

/** Denials of one run that get an entry each; those beyond are counted. */
const maxDenials = 100;
/** So many waiting entries ask for a transaction of their own. */
const manyWaiting = 128;
/** More entries than this do not wait; requests beyond are counted until the next transaction. */
const maxWaiting = 256;

const none: readonly string[] = [];

/** What is left for the transaction that ends a run. */
export interface LastAudit {
	/** What happened before. */
	readonly waiting: readonly string[];
	/** Effects of that transaction itself. */
	readonly effects: readonly string[];
}

/** What the audit log is told of one run: names only, never a value. Entries wait until a transaction of the run takes them along. */
export class RunAudit {
	readonly #run: { readonly execution: string; readonly namespace: string };
	#waiting: string[] = [];
	#denials = 0;
	#uncounted = 0;

	constructor({ id, namespace }: Pick<Execution, "id" | "namespace">) {
		this.#run = { execution: id, namespace };
	}

	/** True once, when it is time for a transaction although no effect asks for one. */
	get isDue(): boolean {
		return this.#waiting.length === manyWaiting;
	}

	/** The entry of an effect that a transaction applies. `sequence` is that of the journal. */
	effect(operation: string, sequence: number, key?: string): string {
		return JSON.stringify({ type: "effect", ...this.#run, operation, ...(key !== undefined && { key }), sequence });
	}

	/** A call that the run had no right to make. */
	denied({ id: operation, scope }: Operation, sequence: number): void {
		if (++this.#denials <= maxDenials) this.#add({ type: "denied", ...this.#run, operation, scope, sequence });
	}

	/** A request that was sent, or refused because the run may not reach that host. Only the origin is told: paths and queries may hold secrets. */
	fetched({ url, denied, sequence }: { readonly url: unknown; readonly denied: boolean; readonly sequence: number }): void {
		if (denied && ++this.#denials > maxDenials) return;
		if (!denied && this.#waiting.length >= maxWaiting) {
			this.#uncounted++;
			return;
		}
		const origin = originOf(url);
		this.#add({
			type: denied ? "denied" : "effect",
			...this.#run,
			operation: "sandbox.fetch",
			...(origin && { origin }),
			sequence,
		});
	}

	/** What waits; it is the caller's then. */
	take(): readonly string[] {
		if (this.#waiting.length === 0) return none;
		const count = this.#uncounted;
		this.#uncounted = 0;
		if (count > 0) this.#add({ type: "effect", ...this.#run, operation: "sandbox.fetch", count });
		const entries = this.#waiting;
		this.#waiting = [];
		return entries;
	}

	/** Gives back what was taken for a transaction that was refused. */
	giveBack(entries: readonly string[]): void {
		if (entries.length > 0) this.#waiting = [...entries, ...this.#waiting];
	}

	/** What waits at the end of the run, with the count of the denials that got no entry of their own. */
	end(): readonly string[] {
		const count = this.#denials - maxDenials;
		if (count > 0) this.#add({ type: "denied", ...this.#run, count });
		return this.take();
	}

	#add(entry: Readonly<Record<string, unknown>>): void {
		this.#waiting.push(JSON.stringify(entry));
	}
}

function originOf(url: unknown): string | undefined {
	const parsed = typeof url === "string" ? URL.parse(url) : null;
	return parsed?.origin.slice(0, 512);
}
