import type { FastifyReply } from "fastify";
import { RuntimeError } from "../contract/errors.ts";
import { describeLimit, type Limits } from "../contract/limits.ts";
import type { ExternalRun } from "../executors/external.ts";
import { RateBudget } from "./rate-limit.ts";

/** What the calls of runs and namespaces use of their rates, in one process. */
export class Traffic {
	readonly #limits: Limits;
	readonly #runs = new WeakMap<ExternalRun, RunTraffic>();
	readonly #namespaces = new Map<string, RateBudget>();
	#lookAgainAt = 0;

	/** @param limits those of the host */
	constructor(limits: Limits) {
		this.#limits = limits;
	}

	/**
	 * Takes one call of the run, which has to be `done` afterwards. Throws `rate-limited`, naming the limit, when the run or its namespace makes too
	 * many in a second, when the run has too many under way, or when it has made all that it may.
	 */
	admit(run: ExternalRun): RunTraffic {
		const { limits, namespace } = run.execution;
		const now = performance.now();
		let traffic = this.#runs.get(run);
		if (!traffic) {
			traffic = new RunTraffic(limits, new RateBudget(limits.maxCallsPerSecond, now));
			this.#runs.set(run, traffic);
		}
		const wait = traffic.budget.take(now);
		if (wait > 0) throw refusal(limits, "maxCallsPerSecond", "This run makes too many calls", wait);
		const waitOfAll = this.#namespace(namespace, now).take(now);
		if (waitOfAll > 0) {
			traffic.budget.giveBack();
			throw refusal(this.#limits, "maxNamespaceCallsPerSecond", "The runs of this namespace make too many calls", waitOfAll);
		}
		if (traffic.pending >= limits.maxPendingCalls)
			throw refusal(limits, "maxPendingCalls", "This run has too many calls under way", 100);
		if (run.calls >= limits.maxHostCalls) throw refusal(limits, "maxHostCalls", "This run has made all the calls that it may");
		run.calls += 1;
		traffic.pending += 1;
		return traffic;
	}

	#namespace(namespace: string, now: number): RateBudget {
		this.#forgetIdle(now);
		let budget = this.#namespaces.get(namespace);
		if (!budget) {
			budget = new RateBudget(this.#limits.maxNamespaceCallsPerSecond, now);
			this.#namespaces.set(namespace, budget);
		}
		return budget;
	}

	/** Namespaces are many over time, and few at a time. */
	#forgetIdle(now: number): void {
		if (now < this.#lookAgainAt) return;
		this.#lookAgainAt = now + 60_000;
		for (const [namespace, budget] of this.#namespaces) if (budget.isFull(now)) this.#namespaces.delete(namespace);
	}
}

/** The calls of one run. */
export class RunTraffic {
	readonly budget: RateBudget;
	readonly #limits: Limits;
	/** How many are under way. */
	pending = 0;
	#bodyBytes = 0;

	constructor(limits: Limits, budget: RateBudget) {
		this.#limits = limits;
		this.budget = budget;
	}

	/**
	 * Makes room for a body, before it is read; whoever calls gives the room back. One body has always room: how long it may be is another limit. Throws
	 * `rate-limited` when the bodies under way are too many bytes.
	 */
	reserve(bytes: number): void {
		if (this.#bodyBytes > 0 && this.#bodyBytes + bytes > this.#limits.maxPendingBytes)
			throw refusal(this.#limits, "maxPendingBytes", "The calls of this run that are under way have too many bytes", 100);
		this.#bodyBytes += bytes;
	}

	giveBack(bytes: number): void {
		this.#bodyBytes -= bytes;
	}

	done(): void {
		this.pending -= 1;
	}
}

function refusal(
	limits: Limits,
	name: "maxCallsPerSecond" | "maxNamespaceCallsPerSecond" | "maxPendingCalls" | "maxPendingBytes" | "maxHostCalls",
	what: string,
	retryAfterMs?: number,
): RuntimeError {
	return new RuntimeError("rate-limited", `${what}; the limit ${name} is ${limits[name]}.`, {
		limit: describeLimit(limits, name),
		...(retryAfterMs !== undefined && { retryAfterMs }),
	});
}

/** What every answer says about the run's rate (draft-ietf-httpapi-ratelimit-headers). */
export function tellRate(reply: FastifyReply, { budget }: RunTraffic): void {
	reply.header("RateLimit", `"run";r=${budget.left};t=1`);
	reply.header("RateLimit-Policy", `"run";q=${budget.perSecond};w=1`);
}
