import { existsSync, renameSync, writeFileSync } from "node:fs";
import type { KeyPage, Metadata, VariableEntry } from "../cronium.d.ts";
import { RuntimeError } from "./errors.ts";
import { readJsonFile } from "./stub-sources.ts";

interface Stored extends Omit<Metadata, "size"> {
	readonly value: unknown;
}

interface State {
	readonly cronium: "stub-state";
	readonly format: 1;
	nextVersion: number;
	readonly variables: Record<string, Stored>;
}

const maxPageSize = 1_000;
const maxKeyCharacters = 255;

/** The variables of the stub, by the rules of the contract; kept in a file between runs when there is one. */
export class StubVariables {
	readonly #file: string | undefined;
	readonly #state: State;

	constructor(given: Readonly<Record<string, unknown>>, file: string | undefined) {
		this.#file = file;
		const kept = file !== undefined && existsSync(file) ? readState(file) : undefined;
		this.#state = kept ?? { cronium: "stub-state", format: 1, nextVersion: 1, variables: {} };
		Object.setPrototypeOf(this.#state.variables, null);
		for (const [key, value] of Object.entries(given))
			if (!this.find(key)) this.#write(requireKey(key), value, undefined, this.#now());
	}

	find(key: unknown): VariableEntry | undefined {
		const name = requireKey(key);
		const stored = this.#state.variables[name];
		if (!stored) return undefined;
		if (stored.expiresAt !== undefined && Date.parse(stored.expiresAt) <= Date.now()) {
			delete this.#state.variables[name];
			return undefined;
		}
		const { value, ...metadata } = stored;
		return structuredClone({ value, metadata: { ...metadata, size: Buffer.byteLength(JSON.stringify(value)) } });
	}

	set(key: unknown, text: string, options: { ifVersion?: string; ifAbsent?: boolean; expiresInMs?: number }): string {
		const name = requireKey(key);
		requireSize(text, "value", "maxValueBytes");
		const { ifVersion, ifAbsent, expiresInMs } = options;
		if (ifVersion !== undefined && ifAbsent) throw new RuntimeError("invalid", "ifVersion and ifAbsent exclude each other.");
		if (expiresInMs !== undefined && (!Number.isSafeInteger(expiresInMs) || expiresInMs < 1))
			throw new RuntimeError("invalid", `expiresInMs is ${expiresInMs}; it must be a whole number from 1.`);
		this.#requireVersion(name, ifVersion, ifAbsent);
		const expiresAt = expiresInMs === undefined ? undefined : new Date(Date.now() + expiresInMs).toISOString();
		const version = this.#write(name, JSON.parse(text), expiresAt, this.#now());
		this.#save();
		return version;
	}

	delete(key: unknown, { ifVersion }: { ifVersion?: string }): boolean {
		const name = requireKey(key);
		this.#requireVersion(name, ifVersion, false);
		const existed = this.find(name) !== undefined;
		delete this.#state.variables[name];
		if (existed) this.#save();
		return existed;
	}

	list({ prefix = "", cursor, limit = 100 }: { prefix?: string; cursor?: string; limit?: number }): KeyPage {
		if (!Number.isSafeInteger(limit) || limit < 1 || limit > maxPageSize)
			throw overLimit("invalid", `limit is ${limit}; it must be a whole number from 1 to`, "maxPageSize", maxPageSize, "items");
		const after = cursor === undefined ? undefined : readCursor(cursor);
		const keys = Object.keys(this.#state.variables)
			.filter((key) => key.startsWith(prefix) && this.find(key))
			.sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
			.filter((key) => after === undefined || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
		const page = keys.slice(0, limit);
		const last = page.at(-1);
		return {
			items: page.map((key) => ({ key, metadata: (this.find(key) as VariableEntry).metadata })),
			...(keys.length > limit && last !== undefined && { cursor: Buffer.from(last).toString("base64url") }),
		};
	}

	increment(key: unknown, by: unknown = 1): number {
		const name = requireKey(key);
		if (typeof by !== "number" || !Number.isFinite(by)) throw new RuntimeError("invalid", "by must be a finite number.");
		const entry = this.find(name);
		if (entry && typeof entry.value !== "number")
			throw new RuntimeError("invalid", `The variable ${JSON.stringify(name)} is not a number.`);
		const sum = ((entry?.value as number | undefined) ?? 0) + by;
		if (!Number.isFinite(sum) || (Number.isInteger(sum) && !Number.isSafeInteger(sum)))
			throw new RuntimeError("invalid", `The sum ${sum} is beyond ±(2^53−1) or not finite.`);
		this.#write(name, sum, entry?.metadata.expiresAt, this.#now());
		this.#save();
		return sum;
	}

	#requireVersion(key: string, ifVersion: string | undefined, ifAbsent: boolean | undefined): void {
		const current = this.find(key)?.metadata.version;
		if (ifAbsent ? current === undefined : ifVersion === undefined || ifVersion === current) return;
		const found = current === undefined ? "there is no such variable" : `it has the version ${current}`;
		throw new RuntimeError("conflict", `The variable ${JSON.stringify(key)} is not as expected: ${found}.`, {
			...(current !== undefined && { currentVersion: current }),
		});
	}

	#write(key: string, value: unknown, expiresAt: string | undefined, now: string): string {
		const version = String(this.#state.nextVersion++);
		this.#state.variables[key] = {
			value,
			version,
			createdAt: this.find(key)?.metadata.createdAt ?? now,
			updatedAt: now,
			updatedBy: "stub",
			...(expiresAt !== undefined && { expiresAt }),
		};
		return version;
	}

	#now(): string {
		return new Date().toISOString();
	}

	/** Whole or not at all, and for this user only. */
	#save(): void {
		if (this.#file === undefined) return;
		const draft = `${this.#file}.${process.pid}.new`;
		try {
			writeFileSync(draft, `${JSON.stringify(this.#state, undefined, "\t")}\n`, { mode: 0o600 });
			renameSync(draft, this.#file);
		} catch (cause) {
			throw new RuntimeError(
				"unavailable",
				`CRONIUM_STUB_STATE: ${this.#file} cannot be written (${(cause as NodeJS.ErrnoException).code}).`,
			);
		}
	}
}

/** Values and outputs are as large as the runtime takes them when its operator has changed nothing. */
export function requireSize(text: string, what: string, limit: "maxValueBytes" | "maxOutputBytes"): void {
	const bytes = Buffer.byteLength(text);
	const most = 1024 * 1024;
	if (bytes > most) throw overLimit("too-large", `${what} has ${bytes} bytes; the limit is`, limit, most, "bytes");
}

function overLimit(code: "invalid" | "too-large", text: string, name: string, value: number, unit: string): RuntimeError {
	return new RuntimeError(code, `${text} ${value} (${name}).`, { limit: { name, value, unit } });
}

function readState(file: string): State {
	const state = readJsonFile(file, "CRONIUM_STUB_STATE") as Partial<State> | null;
	if (state?.cronium === "stub-state" && state.format === 1 && typeof state.variables === "object") return state as State;
	throw new RuntimeError("invalid", `CRONIUM_STUB_STATE: ${file} is not a state of format 1.`);
}

function readCursor(cursor: string): string {
	const key = Buffer.from(cursor, "base64url").toString();
	if (Buffer.from(key).toString("base64url") !== cursor || key === "")
		throw new RuntimeError("invalid", "cursor is not one that a page had.");
	return key;
}

function requireKey(key: unknown): string {
	if (typeof key !== "string") throw new RuntimeError("invalid", "key must be a text.");
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
	if (/[\u0000-\u001f\u007f-\u009f]/.test(key))
		throw new RuntimeError("invalid", `key ${JSON.stringify(key)} has a control character.`);
	const characters = [...key].length;
	if (characters < 1 || characters > maxKeyCharacters)
		throw overLimit(
			"invalid",
			`key has ${characters} characters; it must have 1 to`,
			"maxKeyCharacters",
			maxKeyCharacters,
			"characters",
		);
	if (key === "." || key === "..") throw new RuntimeError("invalid", `key must not be "${key}".`);
	return key;
}
