import type { FastifyReply } from "fastify";
import { RuntimeError } from "../contract/errors.ts";
import { describeLimit, type LimitName, type Limits } from "../contract/limits.ts";
import type { ServedRun } from "../executors/served-runs.ts";
import { LargeBodies } from "./large-bodies.ts";
import { RateBudget } from "./rate-limit.ts";

/** Where calls come from, when that has limits of its own: the limit `maxAddressPendingBytes` of the host. */
export interface CallOrigin {
	/** Bodies and answers of its calls that are under way. */
	bytes: number;
}

/** What the calls of runs and namespaces use of their rates and of memory, in one process. */
export class Traffic {
	readonly largeBodies = new LargeBodies();
	readonly #limits: Limits;
	readonly #runs = new WeakMap<ServedRun, Usage>();
	readonly #namespaces = new Map<string, Usage>();
	#lookAgainAt = 0;

	/** @param limits those of the host */
	constructor(limits: Limits) {
		this.#limits = limits;
	}

	/**
	 * Takes one call of the run, which comes from there and has to be closed afterwards. Throws `rate-limited`, naming the limit, when the run or its namespace makes too
	 * many in a second, when the run has too many under way, or when it has made all that it may.
	 */
	admit(run: ServedRun, origin?: CallOrigin): CallTraffic {
		const { limits } = run.execution;
		const now = performance.now();
		let ofRun = this.#runs.get(run);
		if (!ofRun) {
			ofRun = new Usage(limits.maxCallsPerSecond, now);
			this.#runs.set(run, ofRun);
		}
		const wait = ofRun.budget.take(now);
		if (wait > 0) throw refusal(limits, "maxCallsPerSecond", "This run makes too many calls", wait);
		const ofNamespace = this.#namespace(run.execution.namespace, now);
		const waitOfAll = ofNamespace.budget.take(now);
		if (waitOfAll > 0) {
			ofRun.budget.giveBack();
			throw refusal(this.#limits, "maxNamespaceCallsPerSecond", "The runs of this namespace make too many calls", waitOfAll);
		}
		if (ofRun.calls >= limits.maxPendingCalls)
			throw refusal(limits, "maxPendingCalls", "This run has too many calls under way", 100);
		if (run.calls >= limits.maxHostCalls) throw refusal(limits, "maxHostCalls", "This run has made all the calls that it may");
		run.calls += 1;
		return new CallTraffic(ofRun, limits, ofNamespace, this.#limits, origin);
	}

	#namespace(namespace: string, now: number): Usage {
		this.#forgetIdle(now);
		let usage = this.#namespaces.get(namespace);
		if (!usage) {
			usage = new Usage(this.#limits.maxNamespaceCallsPerSecond, now);
			this.#namespaces.set(namespace, usage);
		}
		return usage;
	}

	/** Namespaces are many over time, and few at a time. One whose calls are under way is kept: a second count would begin at nothing. */
	#forgetIdle(now: number): void {
		if (now < this.#lookAgainAt) return;
		this.#lookAgainAt = now + 60_000;
		for (const [namespace, { calls, budget }] of this.#namespaces)
			if (calls === 0 && budget.isFull(now)) this.#namespaces.delete(namespace);
	}
}

/** What the calls of a run, or of all runs of a namespace, use. */
class Usage {
	readonly budget: RateBudget;
	/** How many are under way. */
	calls = 0;
	/** Their bodies and answers. */
	bytes = 0;

	constructor(perSecond: number, now: number) {
		this.budget = new RateBudget(perSecond, now);
	}
}

/**
 * One call that is under way: until its connection is done with it and, where it came that far, its helper has answered. A client that cuts
 * the connection gets no room for another call while the host still works on this one.
 */
export class CallTraffic {
	readonly #run: Usage;
	readonly #runLimits: Limits;
	readonly #namespace: Usage;
	readonly #hostLimits: Limits;
	readonly #origin: CallOrigin | undefined;
	#bytes = 0;
	#isHandled = false;
	/** Whether its connection is done with it. */
	isClosed = false;
	/** Called when that comes to be. */
	onClose: (() => void) | undefined;

	constructor(run: Usage, runLimits: Limits, namespace: Usage, hostLimits: Limits, origin: CallOrigin | undefined) {
		this.#run = run;
		this.#runLimits = runLimits;
		this.#namespace = namespace;
		this.#hostLimits = hostLimits;
		this.#origin = origin;
		run.calls += 1;
		namespace.calls += 1;
	}

	/** The rate of its run. */
	get budget(): RateBudget {
		return this.#run.budget;
	}

	/**
	 * Makes room for a body before it is read, or for an answer before it is handed over. One call has always room: how long a value may be is another
	 * limit. Throws `rate-limited` when the bodies and answers under way, of the run, of its namespace or from its address, are too many bytes.
	 */
	reserve(bytes: number): void {
		const wanted = this.#bytes + bytes;
		if (hasNoRoom(this.#run.bytes - this.#bytes, wanted, this.#runLimits.maxPendingBytes))
			throw refusal(this.#runLimits, "maxPendingBytes", "The calls of this run that are under way have too many bytes", 100);
		if (hasNoRoom(this.#namespace.bytes - this.#bytes, wanted, this.#hostLimits.maxNamespacePendingBytes))
			throw refusal(
				this.#hostLimits,
				"maxNamespacePendingBytes",
				"The calls of this namespace that are under way have too many bytes",
				100,
			);
		if (this.#origin && hasNoRoom(this.#origin.bytes - this.#bytes, wanted, this.#hostLimits.maxAddressPendingBytes))
			throw refusal(
				this.#hostLimits,
				"maxAddressPendingBytes",
				"The calls from this address that are under way have too many bytes",
				100,
			);
		this.count(bytes);
	}

	/** Counts bytes that cannot be refused: an effect that has happened is acknowledged, and that is short. */
	count(bytes: number): void {
		this.#bytes += bytes;
		this.#run.bytes += bytes;
		this.#namespace.bytes += bytes;
		if (this.#origin) this.#origin.bytes += bytes;
	}

	/** Its helper is called. */
	begin(): void {
		this.#isHandled = true;
	}

	/** Its helper has answered, and the answer has been handed over. */
	end(): void {
		this.#isHandled = false;
		if (this.isClosed) this.#release();
	}

	/** Its answer has been sent, or never will be. */
	close(): void {
		this.isClosed = true;
		this.onClose?.();
		if (!this.#isHandled) this.#release();
	}

	#release(): void {
		this.#run.calls -= 1;
		this.#namespace.calls -= 1;
		this.count(-this.#bytes);
	}
}

const hasNoRoom = (ofOthers: number, wanted: number, limit: number): boolean => ofOthers > 0 && ofOthers + wanted > limit;

/** An error `rate-limited` that names the limit. */
export function refusal(limits: Limits, name: LimitName, what: string, retryAfterMs?: number): RuntimeError {
	return new RuntimeError("rate-limited", `${what}; the limit ${name} is ${limits[name]}.`, {
		limit: describeLimit(limits, name),
		...(retryAfterMs !== undefined && { retryAfterMs }),
	});
}

/** What every answer says about the run's rate (draft-ietf-httpapi-ratelimit-headers). */
export function tellRate(reply: FastifyReply, { budget }: CallTraffic): void {
	reply.header("RateLimit", `"run";r=${budget.left};t=1`);
	reply.header("RateLimit-Policy", `"run";q=${budget.perSecond};w=1`);
}
