import type { AuditProblem, AuditVerification, ChainCheckpoint } from "./audit-trail.ts";
import { layout } from "./layout.ts";
import { auditKeyId, isSealed, openEntry } from "./store/audit-entry.ts";
import type { StoreEntry, StoreKey } from "./store/store.ts";

/** Problems that are told in full; one change is usually one, a wrong key is one for each entry. */
const maxProblems = 1_000;

/** An entry that somebody has seen. */
export interface ExpectedEntry {
	readonly host: string;
	readonly sequence: number;
	readonly mac: string;
	readonly by: string;
}

interface Chain {
	readonly host: string;
	sequence: number;
	/** The code of the last entry; undefined when that could not be read. */
	mac: string | undefined;
	count: number;
}

/** Checks the entries of the audit log, given in the order of their keys. */
export class ChainVerifier {
	readonly #key: Buffer;
	readonly #keyId: string;
	/** What must be found: ends of chains that a checkpoint, or a later chain, has seen. */
	readonly #expected: ExpectedEntry[];
	readonly #chains: Chain[] = [];
	readonly #problems: AuditProblem[] = [];
	#untold = 0;

	constructor(key: Buffer, checkpoint: readonly ChainCheckpoint[]) {
		this.#key = key;
		this.#keyId = auditKeyId(key);
		this.#expected = checkpoint.map(({ host, sequence, mac }) => ({ host, sequence, mac, by: "the checkpoint" }));
	}

	/** What the checkpoint and the chains that were added say must be there; each is to be given to `require`. */
	get expected(): readonly ExpectedEntry[] {
		return this.#expected;
	}

	add({ key, value }: StoreEntry): void {
		const [, host, sequence] = key;
		if (!isPlace(key) || typeof host !== "string" || typeof sequence !== "number") {
			this.#report({ problem: `${JSON.stringify(key)} is no place of an entry: it was inserted` });
			return;
		}
		const chain = this.#chainOf(host);
		const expected = chain.sequence + 1;
		if (sequence > expected) {
			const missing = sequence - expected;
			this.#report({
				host,
				sequence: expected,
				problem: missing === 1 ? "the entry is missing" : `the entries up to ${sequence - 1} are missing`,
			});
		}
		const record = this.#check(host, sequence, value);
		if (record && sequence === expected && chain.mac !== undefined && record.previous !== chain.mac)
			this.#report({ host, sequence, problem: "the entry does not follow the one before it" });
		if (record && sequence === 1) this.#begin(host, record.entry);
		chain.sequence = sequence;
		chain.mac = record?.mac;
		chain.count++;
	}

	/** `text` is what is stored at the place of the entry. Call it when all entries have been added. */
	require({ host, sequence, mac, by }: ExpectedEntry, text: string | undefined): void {
		const chain = this.#chains.find((one) => one.host === host);
		if (!chain) this.#report({ host, problem: `the chain is missing; ${by} has seen ${sequence} entries of it` });
		else if (chain.sequence < sequence)
			this.#report({
				host,
				sequence: chain.sequence + 1,
				problem: `the chain was cut off here; ${by} has seen entries up to ${sequence}`,
			});
		// One that is missing in the middle, or wrong, has been told of.
		else if (text !== undefined && isSealed(this.#key, text) && openEntry(text)?.mac !== mac)
			this.#report({ host, sequence, problem: `the entry is another than the one that ${by} has seen` });
	}

	end(): AuditVerification {
		if (this.#untold > 0) this.#problems.push({ problem: `and ${this.#untold} more problems` });
		return {
			chains: this.#chains.map(({ host, sequence, mac, count }) => ({ host, sequence, mac: mac ?? "", count })),
			problems: this.#problems,
		};
	}

	/** The entry, if its code is right and says that this is its place. */
	#check(host: string, sequence: number, text: string): ReturnType<typeof openEntry> {
		const record = openEntry(text);
		if (!isSealed(this.#key, text)) {
			let problem = "the code of the entry is wrong: it was changed or inserted";
			if (!record) problem = "the entry cannot be read";
			else if (sequence === 1 && record.entry.keyId !== this.#keyId) problem = "the chain was made with another key";
			this.#report({ host, sequence, problem });
			return undefined;
		}
		if (!record || (record.host === host && record.sequence === sequence)) return record;
		this.#report({ host, sequence, problem: `entry ${record.sequence} of the chain ${record.host} was put here` });
		return undefined;
	}

	/** The first entry of a chain says what was there when it began. */
	#begin(host: string, entry: Readonly<Record<string, unknown>>): void {
		if (entry.type !== "chain") this.#report({ host, sequence: 1, problem: "the entry does not begin a chain" });
		const follows = entry.follows as Omit<ExpectedEntry, "by"> | undefined;
		if (follows) this.#expected.push({ ...follows, by: `the chain ${host}` });
	}

	#chainOf(host: string): Chain {
		const last = this.#chains.at(-1);
		if (last?.host === host) return last;
		const chain: Chain = { host, sequence: 0, mac: undefined, count: 0 };
		this.#chains.push(chain);
		return chain;
	}

	#report(problem: AuditProblem): void {
		if (this.#problems.length < maxProblems) this.#problems.push(problem);
		else this.#untold++;
	}
}

function isPlace(key: StoreKey): boolean {
	return key.length === layout.auditEntry("", 1).length && typeof key[2] === "number" && key[2] > 0;
}
