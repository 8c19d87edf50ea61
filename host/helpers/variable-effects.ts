import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { DeleteOptions, Json, Key, SetOptions, Version } from "../contract/generated/types.ts";
import { requireJson } from "../contract/json-text.ts";
import { kindOf, requireKey } from "../contract/key.ts";
import type { Limits } from "../contract/limits.ts";
import { journalInlineBytes, layout } from "../layout.ts";
import type { StoreCheck, StoreKey, StoreOperation } from "../store/store.ts";
import type { Effect, Refused } from "./effect.ts";

/** Who writes to which variables. */
export interface VariableWriter {
	readonly namespace: string;
	readonly limits: Limits;
	/** The id of the run; empty for the operator. */
	readonly author: string;
}

/** Writes the value. Throws what is wrong with the arguments; the effect fails with `conflict`. */
export function setVariable(
	writer: VariableWriter,
	key: Key,
	value: Json,
	options: SetOptions | undefined | null,
): Effect<Version> {
	const { namespace, limits, author } = writer;
	requireKey(key, limits);
	requireJson(value, limits, { name: `the value of ${excerpt(key)}`, maxBytesLimit: "maxValueBytes" });
	const { check, ifVersion, expiresInMs } = requireSetOptions(options, layout.variable(namespace, key));
	const expiresAt = expiresInMs === undefined ? undefined : Date.now() + expiresInMs;
	return {
		checks: check ? [check] : [],
		key,
		operations: [
			archive(writer, key),
			{ type: "set", key: layout.variable(namespace, key), value, author, ...(expiresAt !== undefined && { expiresAt }) },
		],
		committed: ({ version }) => version,
		refused: (refusal) => {
			throw conflict(key, refusal, ifVersion);
		},
	};
}

/** Deletes the variable, and says whether there was one: in one step, so that the answer is true whoever else writes. */
export function deleteVariable(writer: VariableWriter, key: Key, options: DeleteOptions | undefined | null): Effect<boolean> {
	requireKey(key, writer.limits);
	const ifVersion = requireVersion(requireOptions(options).ifVersion);
	const storeKey = layout.variable(writer.namespace, key);
	return {
		checks: [ifVersion === undefined ? { key: storeKey, is: "present" } : { key: storeKey, version: ifVersion }],
		key,
		operations: [archive(writer, key), { type: "delete", key: storeKey }],
		result: "true",
		committed: () => true,
		refused: (refusal) => {
			if (ifVersion === undefined) return false;
			throw conflict(key, refusal, ifVersion);
		},
		refusedResult: "false",
	};
}

/** Adds to a number. The effect fails with `invalid` when there is none or the sum is out of range. */
export function incrementVariable(writer: VariableWriter, key: Key, by: number | undefined): Effect<number> {
	requireKey(key, writer.limits);
	const amount = requireAmount(by);
	return {
		key,
		// A number can be a long text, too.
		operations: [
			archive(writer, key),
			{ type: "increment", key: layout.variable(writer.namespace, key), by: amount, author: writer.author },
		],
		completion: ({ sums }) => String(sums[0]),
		committed: ({ sums }) => sums[0] as number,
		refused: ({ reason }) => {
			throw new RuntimeError(
				"invalid",
				reason === "not-a-number"
					? `The variable ${excerpt(key)} is not a number: it cannot be incremented.`
					: `The variable ${excerpt(key)} plus ${amount} is out of range: not finite, or an integer beyond ±(2^53−1).`,
			);
		},
	};
}

/** Keeps the value that is about to be replaced readable when a journal may refer to it. */
function archive({ namespace }: VariableWriter, key: Key): StoreOperation {
	return {
		type: "archive",
		key: layout.variable(namespace, key),
		to: layout.formerVariables(namespace, key),
		overBytes: journalInlineBytes,
	};
}

interface RequiredSetOptions {
	readonly check?: StoreCheck;
	readonly ifVersion?: Version;
	readonly expiresInMs?: number;
}

function requireSetOptions(given: SetOptions | undefined | null, key: StoreKey): RequiredSetOptions {
	const options = requireOptions(given);
	const ifVersion = requireVersion(options.ifVersion);
	const ifAbsent = options.ifAbsent ?? false;
	if (typeof ifAbsent !== "boolean")
		throw new RuntimeError("invalid", `ifAbsent must be true or false; it is ${kindOf(options.ifAbsent)}.`);
	if (ifVersion !== undefined && ifAbsent)
		throw new RuntimeError("invalid", "ifVersion and ifAbsent exclude each other; give one of them.");
	const expiresInMs = requireExpiry(options.expiresInMs);
	return {
		...(ifVersion !== undefined && { ifVersion, check: { key, version: ifVersion } }),
		...(ifAbsent && { check: { key, is: "absent" } }),
		...(expiresInMs !== undefined && { expiresInMs }),
	};
}

function requireOptions<T extends object>(options: T | undefined | null): Partial<T> {
	if (options === undefined || options === null) return {};
	if (typeof options !== "object" || Array.isArray(options))
		throw new RuntimeError("invalid", `options must be an object; it is ${kindOf(options)}.`);
	return options;
}

function requireVersion(version: unknown): Version | undefined {
	if (version === undefined || version === null) return undefined;
	if (typeof version !== "string" || version.length === 0 || version.length > maxVersionLength)
		throw new RuntimeError("invalid", "ifVersion must be a version that a call returned.");
	return version;
}

function requireExpiry(expiresInMs: unknown): number | undefined {
	if (expiresInMs === undefined || expiresInMs === null) return undefined;
	if (!Number.isSafeInteger(expiresInMs) || (expiresInMs as number) < 1 || (expiresInMs as number) > maxExpiryMs)
		throw new RuntimeError(
			"invalid",
			`expiresInMs is ${typeof expiresInMs === "number" ? expiresInMs : kindOf(expiresInMs)}; it must be a whole number from 1 to ${maxExpiryMs}.`,
		);
	return expiresInMs as number;
}

// `null` is refused: it is what JSON makes of NaN and Infinity, and adding 1 instead would corrupt a counter.
function requireAmount(by: unknown): number {
	if (by === undefined) return 1;
	if (typeof by !== "number" || !Number.isFinite(by))
		throw new RuntimeError("invalid", `by must be a finite number; it is ${typeof by === "number" ? by : kindOf(by)}.`);
	return by;
}

function conflict(key: Key, { currentVersion }: Refused, expected: Version | undefined): RuntimeError {
	const current = currentVersion === undefined ? "does not exist" : `has the version ${currentVersion}`;
	const message =
		expected === undefined
			? `The variable ${excerpt(key)} exists already.`
			: `The variable ${excerpt(key)} ${current}, not the version ${excerpt(expected)}.`;
	return new RuntimeError("conflict", message, currentVersion === undefined ? {} : { currentVersion });
}

const maxVersionLength = 255;
/** A hundred years. */
const maxExpiryMs = 100 * 365 * 24 * 60 * 60_000;
