import { RuntimeError } from "./contract/errors.ts";
import { describeLimit, type LimitName, type Limits } from "./contract/limits.ts";
import { keptPlaces } from "./fair-queue.ts";

interface PlaceRules {
	/** What the runs are called in errors. */
	readonly runs: string;
	/** The limit of all of them, and of those of one namespace. */
	readonly limit: LimitName;
	readonly namespaceLimit: LimitName;
	/** Runs beside that limit: those that a worker may have. */
	readonly running: number;
	readonly namespaceRunning: number;
	/** Places that only a namespace without a run under way gets. */
	readonly kept: number;
}

/** Whoever was refused may try again so soon. */
const retryAfterMs = 1_000;

/**
 * Places for the runs that are under way in this process, counted by namespace. One namespace cannot have them all, and those that have some
 * leave an eighth to those that have none.
 */
export class RunPlaces {
	readonly #limits: Limits;
	readonly #rules: PlaceRules;
	readonly #taken = new Map<string, number>();
	#total = 0;

	constructor(limits: Limits, rules: PlaceRules) {
		this.#limits = limits;
		this.#rules = rules;
	}

	/** For runs in the sandbox: those that a worker has, and those that wait for one. */
	static sandbox(limits: Limits): RunPlaces {
		return RunPlaces.#beside("runs", limits.maxWorkers, limits);
	}

	/** For runs in containers: those that have one, and those that wait. */
	static containers(limits: Limits): RunPlaces {
		return RunPlaces.#beside("runs in containers", limits.maxContainers, limits);
	}

	/** For runs on SSH hosts: those that run there, and those that wait. */
	static remote(limits: Limits): RunPlaces {
		return RunPlaces.#beside("runs on SSH hosts", limits.maxRemoteRuns, limits);
	}

	/** For runs that wait beside so many that run. */
	static #beside(runs: string, running: number, limits: Limits): RunPlaces {
		const { maxNamespaceRuns, maxQueuedRuns } = limits;
		const kept = keptPlaces(running);
		return new RunPlaces(limits, {
			runs,
			limit: "maxQueuedRuns",
			namespaceLimit: "maxNamespaceQueuedRuns",
			running,
			namespaceRunning: Math.min(maxNamespaceRuns, running - kept),
			kept: kept + Math.floor(maxQueuedRuns / 8),
		});
	}

	/** For runs whose scripts run elsewhere. */
	static external(limits: Limits): RunPlaces {
		return new RunPlaces(limits, {
			runs: "external runs",
			limit: "maxExternalRuns",
			namespaceLimit: "maxNamespaceExternalRuns",
			running: 0,
			namespaceRunning: 0,
			kept: Math.floor(limits.maxExternalRuns / 8),
		});
	}

	/** Throws `unavailable`, naming the limit, when there is no place for this namespace. */
	require(namespace: string): void {
		const { runs, limit, namespaceLimit, running, namespaceRunning, kept } = this.#rules;
		const taken = this.#taken.get(namespace) ?? 0;
		if (taken >= this.#limits[namespaceLimit] + namespaceRunning)
			throw this.#refusal(`The namespace ${namespace} has ${taken} ${runs} under way`, namespaceLimit, namespaceRunning);
		if (this.#total >= this.#limits[limit] + running - (taken > 0 ? kept : 0))
			throw this.#refusal(`${this.#total} ${runs} are under way, ${taken} of the namespace ${namespace}`, limit, running);
	}

	/** Takes a place until it is disposed of. Throws as `require` does. */
	take(namespace: string): Disposable {
		this.require(namespace);
		this.#taken.set(namespace, (this.#taken.get(namespace) ?? 0) + 1);
		this.#total += 1;
		let isTaken = true;
		return {
			[Symbol.dispose]: () => {
				if (!isTaken) return;
				isTaken = false;
				this.#total -= 1;
				const left = (this.#taken.get(namespace) ?? 0) - 1;
				if (left > 0) this.#taken.set(namespace, left);
				else this.#taken.delete(namespace);
			},
		};
	}

	#refusal(what: string, name: LimitName, running: number): RuntimeError {
		const limit = describeLimit(this.#limits, name);
		const beside = running > 0 ? `, beside ${running} that may run` : "";
		return new RuntimeError("unavailable", `${what}; the limit ${name} is ${limit.value}${beside}.`, { limit, retryAfterMs });
	}
}
