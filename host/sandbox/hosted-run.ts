import { RuntimeError } from "../contract/errors.ts";
import { operations } from "../contract/generated/operations.ts";
import type { CallContext, Json } from "../contract/generated/types.ts";
import { describeLimit, type LimitName } from "../contract/limits.ts";
import type { LogLine } from "../execution.ts";
import { type ExecutionRecord, openRun, readRecord } from "../executions.ts";
import { type BoundHelpers, createHelpers, type Remainder } from "../helpers/helpers.ts";
import type { Store } from "../store/store.ts";
import { callHelper, maxParametersCharacters, readFetchRequest, refusal } from "./bindings.ts";
import type { Fetcher } from "./fetch.ts";
import type { WorkerRun } from "./worker.ts";

export interface HostedRunOptions {
	readonly store: Store;
	/** Aborted with a RuntimeError when the run has to stop. */
	readonly signal: AbortSignal;
	readonly onLog: (lines: readonly LogLine[]) => void;
	/** Takes the answers that come later. Not called any more once the run has been ended. */
	readonly onSettled: (id: number, text: string) => void;
}

/**
 * The host's side of a run whose guest is in another process: its helpers and its requests. What comes from there is worth no more than what a script
 * says: the texts of calls are decoded and judged here, and what the guest's side would have counted is counted once more.
 */
export class HostedRun {
	readonly record: ExecutionRecord;
	readonly #bound: BoundHelpers;
	readonly #onSettled: HostedRunOptions["onSettled"];
	readonly #forbiddenPorts: readonly number[];
	readonly #fetches = new Map<number, AbortController>();
	#fetcher: Promise<Fetcher> | undefined;
	#calls = 0;
	#pendingCalls = 0;
	#pendingBytes = 0;
	#ended = false;

	constructor({ record: text, opening, audit, input, forbiddenPorts }: Omit<WorkerRun, "type">, options: HostedRunOptions) {
		const { store, signal, onLog, onSettled } = options;
		this.record = readRecord(text);
		this.#bound = createHelpers(
			{ ...this.record, signal },
			{
				store,
				input,
				opening: opening && openRun(opening, this.record, text, input),
				audit,
				onLog: (line) => onLog([line]),
			},
		);
		this.#onSettled = onSettled;
		this.#forbiddenPorts = forbiddenPorts;
	}

	/** Answers with a text now, or undefined: then `onSettled` gets it. Never throws. */
	call(id: number, number: number, params: string, body: string | undefined): string | undefined {
		try {
			const operation = operations[number];
			if (!operation) throw new RuntimeError("unsupported", "The host has no such operation.");
			const bytes = this.#admit(params, body);
			const { traceparent } = this.record;
			const call: CallContext = { callId: String(id), ...(traceparent !== undefined && { traceparent }) };
			const answer = callHelper(this.#bound.helpers, operation, params, body, call);
			if (!(answer instanceof Promise)) return answer;
			this.#settleLater(id, answer, bytes);
			return undefined;
		} catch (error) {
			return refusal(error);
		}
	}

	/** The same for a request. */
	fetch(id: number, params: string, body: string | undefined): string | undefined {
		try {
			const { allowedHosts } = this.record;
			if (allowedHosts.length === 0) throw new RuntimeError("denied", "fetch is refused: the run was given no hosts.");
			const bytes = this.#admit(params, body);
			const request = readFetchRequest(params, body);
			const abort = new AbortController();
			this.#fetches.set(id, abort);
			const answer = this.#openFetch().then(({ fetch }) => fetch(request, abort.signal));
			this.#settleLater(
				id,
				answer.then((response) => JSON.stringify(response)).finally(() => this.#fetches.delete(id)),
				bytes,
			);
			return undefined;
		} catch (error) {
			return refusal(error);
		}
	}

	cancelFetch(id: number): void {
		this.#fetches.get(id)?.abort(new RuntimeError("cancelled", "The fetch was aborted."));
	}

	/** False when nothing is taken any more. */
	print(source: "stdout" | "stderr", text: string): boolean {
		return this.#bound.print(source, text);
	}

	/** Ends the run, whatever has become of its guest. */
	async end(returned?: Json): Promise<Remainder> {
		this.#ended = true;
		for (const id of [...this.#fetches.keys()]) this.cancelFetch(id);
		try {
			return await this.#bound.settle(returned);
		} finally {
			await (await this.#fetcher)?.close();
		}
	}

	/** Counts a call and returns its bytes. The guest's side ends a run that is over these limits, so only one that is not ours comes so far. */
	#admit(params: string, body: string | undefined): number {
		const { limits } = this.record;
		const bytes = params.length + (body?.length ?? 0);
		const require = (name: LimitName, found: number): void => {
			if (found <= limits[name]) return;
			const limit = describeLimit(limits, name);
			throw new RuntimeError("too-large", `The run is over its limit ${name} of ${limit.value} ${limit.unit}.`, { limit });
		};
		require("maxHostCalls", ++this.#calls);
		if (params.length > maxParametersCharacters)
			throw new RuntimeError(
				"too-large",
				`The parameters of a call are ${params.length} characters; the limit is ${maxParametersCharacters}.`,
			);
		// Without this one: with it the guest's side ends the run.
		require("maxPendingCalls", this.#pendingCalls);
		require("maxPendingBytes", this.#pendingBytes);
		return bytes;
	}

	#settleLater(id: number, answer: Promise<string>, bytes: number): void {
		this.#pendingCalls++;
		this.#pendingBytes += bytes;
		const settle = (text: string): void => {
			this.#pendingCalls--;
			this.#pendingBytes -= bytes;
			if (!this.#ended) this.#onSettled(id, text);
		};
		answer.then(settle, (error) => settle(refusal(error)));
	}

	/** Loaded only for runs that fetch: most never do. */
	#openFetch(): Promise<Fetcher> {
		this.#fetcher ??= import("./run-fetch.ts").then(({ openRunFetch }) =>
			openRunFetch(this.record, this.#bound, this.#forbiddenPorts),
		);
		return this.#fetcher;
	}
}
