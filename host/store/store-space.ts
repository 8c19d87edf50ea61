import { RuntimeError } from "../contract/errors.ts";
import { type Reserve, reserves } from "./commit-message.ts";

const MiB = 1024 * 1024;

/** Bytes of a store kept back for deletions, final statuses and audit entries. */
export function reservedBytes(maxStoreBytes: number): number {
	return Math.min(64 * MiB, Math.max(1 * MiB, Math.floor(maxStoreBytes / 64)));
}

/** The part of it that a transaction must not touch. Audit entries get half, so that there is always room for the status of a run. */
export function keptBackBytes(reserve: Reserve, maxStoreBytes: number): number {
	if (reserve === reserves.never) return reservedBytes(maxStoreBytes);
	return reserve === reserves.audit ? Math.floor(reservedBytes(maxStoreBytes) / 2) : 0;
}

export function fullStore(usedBytes: number, maxStoreBytes: number): RuntimeError {
	return new RuntimeError(
		"unavailable",
		`The store is full: ${usedBytes} of ${maxStoreBytes} bytes (maxStoreBytes) are in use, ${reservedBytes(maxStoreBytes)} of them kept back for deletions, final statuses and audit entries.`,
		{ limit: { name: "maxStoreBytes", value: maxStoreBytes, unit: "bytes" } },
	);
}
