import { RuntimeError } from "../contract/errors.ts";

const MiB = 1024 * 1024;

/** Bytes of a store kept back for deletions, final statuses and audit entries. */
export function reservedBytes(maxStoreBytes: number): number {
	return Math.min(64 * MiB, Math.max(1 * MiB, Math.floor(maxStoreBytes / 64)));
}

export function fullStore(usedBytes: number, maxStoreBytes: number): RuntimeError {
	return new RuntimeError(
		"unavailable",
		`The store is full: ${usedBytes} of ${maxStoreBytes} bytes (maxStoreBytes) are in use, ${reservedBytes(maxStoreBytes)} of them kept back for deletions and final statuses.`,
		{ limit: { name: "maxStoreBytes", value: maxStoreBytes, unit: "bytes" } },
	);
}
