import type { StoreKey } from "./store/store.ts";

/**
 * Values over this size are not copied into a journal, which refers to them, and they are kept when they are replaced. A part of the format of the
 * data: processes that differed in it would overwrite what the journals of others refer to.
 */
export const journalInlineBytes = 1_024;

/**
 * Where everything is in the store. The only place that builds keys. What runs write comes behind all the rest: at the end of its order a tree fills its
 * pages, elsewhere it splits them into halves.
 */
export const layout = {
	/** Bytes that all that belongs to a namespace takes: its variables, former values and runs. */
	account: (namespace: string): StoreKey => ["accounts", namespace],
	/** The audit log: a chain for each host process. Written by the store itself. */
	audit: ["audit"] as StoreKey,
	auditEntry: (hostId: string, sequence: number): StoreKey => ["audit", hostId, sequence],
	variables: (namespace: string): StoreKey => ["current-variables", namespace],
	variable: (namespace: string, key: string): StoreKey => ["current-variables", namespace, key],
	/** Replaced values that a journal may refer to; the version is the last element. Swept when no run that is kept started before the replacement. */
	formerVariables: (namespace: string, key: string): StoreKey => ["former-variables", namespace, key],
	allFormerVariables: ["former-variables"] as StoreKey,
	/** That the last sweep has begun, by the period of time in which it did: there is one key below this. */
	lastSweep: ["last-sweep"] as StoreKey,
	sweep: (period: number): StoreKey => ["last-sweep", period],
	/** Scripts that are kept to be run many times, by the hash of their text. */
	bundles: ["bundles"] as StoreKey,
	bundle: (id: string): StoreKey => ["bundles", id],
	/** Agents of SSH hosts, by their ids (JSON). */
	agents: ["agents"] as StoreKey,
	agent: (id: string): StoreKey => ["agents", id],
	/** The id of the one approved agent that a host has. */
	agentOfHost: (host: string): StoreKey => ["agents-of-hosts", host],
	/** Invitations of agents (JSON), by the hash of their secret. */
	invitations: ["agent-invitations"] as StoreKey,
	invitation: (secretHash: string): StoreKey => ["agent-invitations", secretHash],
	/** Where agents reach the process that serves the directory, or last did: `host:port`. */
	agentAddress: ["agent-address"] as StoreKey,
	/** Present exactly while the run may have effects; every effect checks it, ending a run deletes it. */
	live: (hostId: string, id: string): StoreKey => ["live", hostId, id],
	allLive: ["live"] as StoreKey,
	/** The record of a run (JSON); everything else that belongs to the run is below it. Ids are UUIDv7, so key order is order of creation. */
	runs: ["runs"] as StoreKey,
	execution: (id: string): StoreKey => ["runs", id],
	/** Behind everything of the run. */
	endOfRun: (id: string): StoreKey => ["runs", id, "~"],
	/** The input of a run (JSON text). */
	input: (id: string): StoreKey => ["runs", id, "input"],
	/** Outputs in the order they were set, by journal sequence; the last one is the output. */
	outputs: (id: string): StoreKey => ["runs", id, "outputs"],
	output: (id: string, sequence: number): StoreKey => ["runs", id, "outputs", sequence],
	condition: (id: string): StoreKey => ["runs", id, "condition"],
	/** Segments of the journal by the sequence of their first entry. */
	journal: (id: string): StoreKey => ["runs", id, "journal"],
	journalSegment: (id: string, firstSequence: number): StoreKey => ["runs", id, "journal", firstSequence],
	/** Which journal entry answered an idempotency key. */
	idempotencyKey: (id: string, key: string): StoreKey => ["runs", id, "idempotency-keys", key],
	/** Segments of the log by the sequence of their first line. */
	logs: (id: string): StoreKey => ["runs", id, "logs"],
	logSegment: (id: string, firstSequence: number): StoreKey => ["runs", id, "logs", firstSequence],
} as const;
