import type { Limits } from "../host/contract/limits.ts";
import { clientNetwork } from "../host/http/client-address.ts";
import { RateBudget } from "../host/http/rate-limit.ts";
import { type CallOrigin, refusal } from "../host/http/traffic.ts";
import { type HandshakeLane, HandshakeTurns } from "../sidecar/handshake-turns.ts";

/** Clients that are told apart at one time. Whoever has many addresses must not get a place in memory for each. */
const maxClients = 10_000;
const lookEveryMs = 1_000;

/**
 * What clients use of the public door, by their addresses: what a connection comes from is all that is known of it before its token was verified. Headers of
 * proxies are not believed.
 */
export class AddressLimits {
	readonly #limits: Limits;
	readonly #turns = new HandshakeTurns(Number.MAX_SAFE_INTEGER);
	readonly #clients = new Map<string, AddressUsage>();
	/** All that come when there is no place left count as one. Those that have a place keep it. */
	readonly #others: AddressUsage;
	#lookAgainAt = 0;

	constructor(limits: Limits) {
		this.#limits = limits;
		this.#others = new AddressUsage(limits, this.#turns);
	}

	/** How many are told apart. */
	get size(): number {
		return this.#clients.size;
	}

	of(address: string): AddressUsage {
		const network = clientNetwork(address);
		const known = this.#clients.get(network);
		if (known) return known;
		this.#forgetIdle();
		if (this.#clients.size >= maxClients) return this.#others;
		const usage = new AddressUsage(this.#limits, this.#turns);
		this.#clients.set(network, usage);
		return usage;
	}

	#forgetIdle(): void {
		const now = performance.now();
		if (now < this.#lookAgainAt) return;
		this.#lookAgainAt = now + lookEveryMs;
		for (const [network, usage] of this.#clients) if (usage.isIdle(now)) this.#clients.delete(network);
	}
}

/** What one client uses. */
export class AddressUsage implements CallOrigin {
	bytes = 0;
	readonly #limits: Limits;
	readonly #turns: HandshakeTurns;
	readonly #requests: RateBudget;
	/** Its time is counted in minutes instead of seconds. */
	readonly #failures: RateBudget;
	#connections = 0;
	#lane: HandshakeLane | undefined;

	constructor(limits: Limits, turns: HandshakeTurns) {
		const now = performance.now();
		this.#limits = limits;
		this.#turns = turns;
		this.#requests = new RateBudget(limits.maxAddressRequestsPerSecond, now);
		this.#failures = new RateBudget(limits.maxAddressFailuresPerMinute, now / 60);
	}

	/** Takes a connection, which has to be given back; false when there are too many. */
	connect(): boolean {
		if (this.#connections >= this.#limits.maxAddressConnections) return false;
		this.#connections += 1;
		return true;
	}

	disconnect(): void {
		this.#connections -= 1;
		if (this.#connections > 0) return;
		this.#lane?.[Symbol.dispose]();
		this.#lane = undefined;
	}

	/** Calls `begin` when it is the turn of one of its connections. Returns what takes that back. */
	awaitHandshake(begin: () => void): () => void {
		this.#lane ??= this.#turns.open(this.#limits.maxAddressHandshakesPerSecond);
		return this.#lane.add(begin);
	}

	/** Takes a request. Throws `rate-limited`. */
	takeRequest(): void {
		const waitMs = this.#requests.take(performance.now());
		if (waitMs > 0) throw refusal(this.#limits, "maxAddressRequestsPerSecond", "This address sends too many requests", waitMs);
	}

	/** Takes a failed authentication before it is known to be one: many may be verified at one time. Returns after how many milliseconds there is one, or 0. */
	takeFailure(): number {
		return this.#failures.take(performance.now() / 60) * 60;
	}

	/** It was none. */
	giveBackFailure(): void {
		this.#failures.giveBack();
	}

	/** Whether nothing is missing: it need not be remembered. */
	isIdle(now: number): boolean {
		return this.#connections === 0 && this.bytes === 0 && this.#requests.isFull(now) && this.#failures.isFull(now / 60);
	}
}
