import { statSync } from "node:fs";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { RuntimeError } from "../contract/errors.ts";
import { AuditChain, parseAuditEntries } from "./audit-chain.ts";
import type { AuditRecord } from "./audit-entry.ts";
import { loadAuditKey } from "./audit-key.ts";
import { logChange, readLastVersion } from "./change-log.ts";
import type { Acknowledgement, ClientMessage, Refusal } from "./commit-client.ts";
import { CommitLanes } from "./commit-lanes.ts";
import { messageHeaderBytes, type Reserve, reserves } from "./commit-message.ts";
import { lmdbFailure } from "./lmdb-failure.ts";
import { type Lmdb, type LmdbSpace, openLmdb } from "./lmdb-tree.ts";
import { messageAudit, messageId, messageLane, messageReserve } from "./message-reader.ts";
import { requireFormat } from "./store-format.ts";
import { fullStore, keptBackBytes } from "./store-space.ts";
import { isParked, runUninterrupted, type ThreadPhase } from "./thread-phase.ts";
import { applyTransaction, estimateBytes } from "./transaction.ts";
import { encodeUint48, metaKeys } from "./tree.ts";

/** What the writer's thread is started with. */
export interface WriterData {
	readonly file: string;
	readonly mapBytes: number;
	readonly maxStoreBytes: number;
	readonly keptChanges: number;
	readonly phase: ThreadPhase;
	/** Whose audit log to keep, and the data directory, where its key is: no other thread holds that. */
	readonly audit?: { readonly hostId: string; readonly directory: string } | undefined;
	/** The port of the thread that started this one. */
	readonly port: MessagePort;
}

/** What the writer tells the thread that started it, once. */
export type WriterReport = { readonly type: "opened" } | { readonly type: "refused"; readonly failure: Refusal };

/** What the thread that started the writer tells it. */
export type WriterRequest = { readonly connect: MessagePort } | "stop";

// Bounds of a group. Accounts take turns inside it, so one that floods delays the others by one group at most.
const maxGroupTransactions = 512;
const maxGroupBytes = 8 * 1024 * 1024;
const maxGroupMs = 50;
const readerSweepMs = 60_000;

interface Client {
	readonly port: MessagePort;
	listening: boolean;
	acknowledgements: (number | Acknowledgement)[];
}

interface Taken {
	readonly client: Client;
	readonly message: Buffer;
	result: Acknowledgement;
}

/**
 * Applies what clients post, in groups: one LMDB transaction and one synchronisation for all that was waiting. Each client's
 * transactions for one account are applied in the order they were posted, each of them whole or not at all, and acknowledged when the group is durable.
 */
const { file, mapBytes, maxStoreBytes, keptChanges, phase, audit, port } = workerData as WriterData;
let chain: AuditChain | undefined;
const opened = runUninterrupted(phase, openChecked);
/** Used for clients only, and there are none when the store was refused. */
const database = opened as Lmdb;
const clients: Client[] = [];
const lanes = new CommitLanes<Client>();
let scheduled = false;
let stopping = false;
let lastSweep = Date.now();

if (opened) {
	connect(port);
	parentPort?.on("message", (request: WriterRequest) => {
		if (request !== "stop") return connect(request.connect);
		stopping = true;
		schedule();
	});
	report({ type: "opened" });
} else port.close();

/** The database, or undefined when it cannot be used: then the reason has been reported and the thread ends. */
function openChecked(): Lmdb | undefined {
	let tried: Lmdb | undefined;
	try {
		tried = openLmdb(file, { readOnly: false, mapBytes });
		requireFormat(tried.reader, false);
		requireWholeFile(tried);
		if (audit) chain = new AuditChain({ hostId: audit.hostId, key: loadAuditKey(audit.directory) });
		return tried;
	} catch (error) {
		void tried?.close();
		report({ type: "refused", failure: toFailure(lmdbFailure("opened", error)) });
		return undefined;
	}
}

/**
 * Reading a page that a truncated file lacks would end the process by a signal. A file may lack free pages at its end, so this compares with
 * the pages in use.
 */
function requireWholeFile({ reader, space }: Lmdb): void {
	const { usedBytes } = reader.snapshot(space);
	const { size } = statSync(file);
	if (size < usedBytes)
		throw new RuntimeError("internal", `The store is damaged: its file has ${size} bytes and ${usedBytes} are in use.`);
}

function report(message: WriterReport): void {
	parentPort?.postMessage(message);
}

function connect(clientPort: MessagePort): void {
	const client: Client = { port: clientPort, listening: false, acknowledgements: [] };
	clients.push(client);
	const add = (message: Buffer): void => lanes.add(messageLane(message), client, message);
	clientPort.on("message", (message: ClientMessage) => {
		if (typeof message === "string") add(Buffer.from(message, "latin1"));
		else if (message instanceof Uint8Array) add(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
		else client.listening = message.listening;
		schedule();
	});
	// Nobody waits for what a thread left behind when it was terminated: it is not begun.
	clientPort.on("close", () => {
		lanes.drop(client);
		const index = clients.indexOf(client);
		if (index >= 0) clients.splice(index, 1);
	});
}

/** After this turn of the event loop: every port's messages that have arrived are in its queue then. */
function schedule(): void {
	if (scheduled) return;
	scheduled = true;
	setImmediate(drain);
}

function drain(): void {
	scheduled = false;
	if (lanes.isEmpty) {
		if (stopping) stop();
		return;
	}
	const group: Taken[] = [];
	try {
		runUninterrupted(phase, () => writeGroup(group));
	} catch (error) {
		// The process is exiting.
		if (isParked(phase)) return;
		refuse(group, error);
	}
	schedule();
}

/** Answers a group that the writer stumbled over; whoever has got an answer already does not look at this one. */
function refuse(group: readonly Taken[], cause: unknown): void {
	const failure = toFailure(
		new RuntimeError("internal", "The writer of the store failed; the transaction may have been applied or not.", {}, { cause }),
	);
	for (const { client, message } of group)
		if (message.length >= messageHeaderBytes) client.acknowledgements.push(messageId(message), failure);
	acknowledge(false);
}

function stop(): void {
	runUninterrupted(phase, () => void database.close());
	for (const client of [...clients]) client.port.close();
	parentPort?.close();
}

/** Writes what waits, noting in `group` what it takes. */
function writeGroup(group: Taken[]): void {
	const take = takeGroup(group);
	let changed = false;
	try {
		changed = writeDurably(take);
	} catch {
		// Nothing of the group was kept. One by one, so that only the transactions that cannot be written fail; at least one, so that it ends.
		if (group.length === 0) take();
		for (const taken of group) if (writeAlone(taken)) changed = true;
	}
	for (const { client, message, result } of group) client.acknowledgements.push(messageId(message), result);
	acknowledge(changed);
	if (Date.now() - lastSweep > readerSweepMs) {
		lastSweep = Date.now();
		database.sweepReaders();
	}
}

/** Posts the answers that are due, and to those who listen that something changed. */
function acknowledge(changed: boolean): void {
	for (const client of [...clients]) {
		const { acknowledgements } = client;
		if (acknowledgements.length === 0 && !(changed && client.listening)) continue;
		client.acknowledgements = [];
		client.port.postMessage(acknowledgements);
	}
}

function writeAlone(taken: Taken): boolean {
	let left: Taken | undefined = taken;
	try {
		return writeDurably(() => {
			const next = left;
			left = undefined;
			return next;
		});
	} catch (error) {
		taken.result = toFailure(lmdbFailure("written", error));
		return false;
	}
}

/** One durable transaction of what `next` gives. True when something changed. */
function writeDurably(next: () => Taken | undefined): boolean {
	let changed = false;
	database.write((tree) => {
		chain?.begin();
		requireFormat(tree, true);
		const space = database.space();
		let usedBytes = space.usedBytes;
		const first = readLastVersion(tree);
		let last = first;
		for (let taken = next(); taken !== undefined; taken = next()) {
			const { message } = taken;
			const estimate = estimateBytes(tree, message, space.pageBytes);
			const refusal = refuseForSpace(messageReserve(message), estimate, usedBytes - space.usedBytes, space);
			if (refusal) {
				taken.result = toFailure(refusal);
				continue;
			}
			let entries: AuditRecord["entry"][] = [];
			try {
				if (chain) entries = parseAuditEntries(messageAudit(message));
			} catch (error) {
				taken.result = toFailure(error as RuntimeError);
				continue;
			}
			const now = Date.now();
			const applied = applyTransaction(tree, message, last + 1, now, estimate);
			if (!applied.committed) {
				const { committed: _, ...refusal } = applied;
				taken.result = refusal;
				continue;
			}
			if (applied.changed.length > 0 || entries.length > 0) {
				last++;
				chain?.append(tree, entries, last, now);
				logChange(tree, last, applied.changed, keptChanges);
				usedBytes += estimate;
			}
			taken.result = applied.sums.length === 0 ? last : { version: last, sums: applied.sums };
		}
		if (last === first) return;
		changed = true;
		tree.put(metaKeys.lastVersion, encodeUint48(last));
	});
	chain?.keep();
	return changed;
}

/** Gives what waits, in turn, until the group is large or has taken long, and notes it in `group`. */
function takeGroup(group: Taken[]): () => Taken | undefined {
	const end = Date.now() + maxGroupMs;
	let bytes = 0;
	return () => {
		if (group.length >= maxGroupTransactions || bytes >= maxGroupBytes || Date.now() >= end) return undefined;
		const next = lanes.next();
		if (next === undefined) return undefined;
		const taken: Taken = { ...next, result: 0 };
		bytes += taken.message.length;
		group.push(taken);
		return taken;
	};
}

/** Why there is no room for `estimate` bytes more, when the group has added `addedBytes` to the `space` before it. */
function refuseForSpace(reserve: Reserve, estimate: number, addedBytes: number, space: LmdbSpace): RuntimeError | undefined {
	if (reserve === reserves.always) return undefined;
	const allowedBytes = maxStoreBytes - keptBackBytes(reserve, maxStoreBytes);
	const wanted = addedBytes + estimate;
	// The file has more pages than are used, and LMDB would move its map when the file outgrows it: it must not come to that.
	if (space.usedBytes + wanted <= allowedBytes && space.fileBytes + wanted <= space.mapBytes - maxGroupBytes) return undefined;
	return fullStore(space.usedBytes + addedBytes, maxStoreBytes);
}

function toFailure({ code, message, details, cause }: RuntimeError): Refusal {
	return { code, message, details, ...(cause instanceof Error && { cause: cause.message }) };
}
