import type { Limits } from "../../contract/limits.ts";
import { openConnection } from "./open-connection.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

/** Runs of one connection: sshd allows ten sessions on it (MaxSessions), one is what is attached to it, and two are left for whoever looks at the host. */
export const maxLeases = 7;
/** Connections that one sshd is asked for at one time: from ten that are not logged in on it drops some by chance (MaxStartups 10:30:100). */
const maxOpening = 5;
const defaultIdleMs = 60_000;
/** A host that has taken connections and refuses one more is asked again after so long. */
const againMs = 1_000;

export interface PoolOptions<Attached> {
	readonly limits: Pick<Limits, "hostSilenceMs">;
	/** Makes what a connection has beside its runs, once for each. Disposed of with the connection, while that is still open if it is not broken. */
	attach(connection: SshConnection, host: SshHost): Promise<Attached>;
	/** How a connection is made; by openConnection when not given. */
	readonly open?: typeof openConnection;
	/** How long a connection is kept that has no runs. 60 seconds when not given. */
	readonly idleMs?: number;
}

/** A place on a connection for one session. Dispose of it when the session has ended. */
export interface ConnectionLease<Attached> extends Disposable {
	readonly connection: SshConnection;
	readonly attached: Attached;
}

/**
 * The connections of this process to SSH hosts, shared by the runs there: at most seven runs on each, as many connections as that needs. One that has broken gets
 * no more runs; who has one of its places hears it from the connection.
 */
export class ConnectionPool<Attached extends AsyncDisposable> implements AsyncDisposable {
	readonly #options: PoolOptions<Attached>;
	readonly #accounts = new Map<string, Account<Attached>>();
	/** Connections being opened, by address and port. */
	readonly #opening = new Map<string, number>();
	readonly #disposed = new AbortController();

	constructor(options: PoolOptions<Attached>) {
		this.#options = options;
	}

	/**
	 * A place on a connection to the host, in the order in which they were asked for, and at most `maxRuns` of them. Rejects with SshError when the host cannot
	 * be connected to, and with the reason of the signal.
	 */
	async lease(host: SshHost, signal?: AbortSignal): Promise<ConnectionLease<Attached>> {
		signal?.throwIfAborted();
		this.#disposed.signal.throwIfAborted();
		const { name, address, port, user, login, hostKeys } = host;
		// Another way in, or another key, is another account: what was connected before does not serve it.
		const id = JSON.stringify([name, address, port, user, login, hostKeys]);
		let account = this.#accounts.get(id);
		if (!account) {
			const made = new Account(this.#options, {
				signal: this.#disposed.signal,
				count: (change) => this.#count(host, change),
				onEmpty: () => {
					if (this.#accounts.get(id) === made) this.#accounts.delete(id);
				},
			});
			account = made;
			this.#accounts.set(id, made);
		}
		return await account.lease(host, signal);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#disposed.abort(new SshError("host-connection-lost", "The connections to SSH hosts were closed."));
		await Promise.all([...this.#accounts.values()].map((account) => account[Symbol.asyncDispose]()));
	}

	/** Takes (1) or returns (-1) one of the places for connections being opened. False when there is none. */
	#count({ address, port }: SshHost, change: 1 | -1): boolean {
		const server = `${address.toLowerCase()} ${port}`;
		const opening = (this.#opening.get(server) ?? 0) + change;
		if (opening > maxOpening) return false;
		if (opening > 0) this.#opening.set(server, opening);
		else this.#opening.delete(server);
		// Entries of other accounts of this server may have waited for it.
		if (change < 0) for (const account of this.#accounts.values()) account.assign();
		return true;
	}
}

interface Surroundings {
	/** Aborted when the pool is disposed of. */
	readonly signal: AbortSignal;
	count(change: 1 | -1): boolean;
	/** There is neither a connection nor anybody who waits for one. */
	onEmpty(): void;
}

interface Waiter<Attached> {
	readonly host: SshHost;
	resolve(lease: ConnectionLease<Attached>): void;
	reject(cause: unknown): void;
}

interface Line<Attached> {
	readonly connection: SshConnection;
	readonly attached: Attached;
	leases: number;
	idle: NodeJS.Timeout | undefined;
}

/** The connections to one account of one host. */
class Account<Attached extends AsyncDisposable> implements AsyncDisposable {
	readonly #options: PoolOptions<Attached>;
	readonly #surroundings: Surroundings;
	readonly #lines = new Set<Line<Attached>>();
	readonly #waiting = new Set<Waiter<Attached>>();
	/** What is to be waited for before the pool is gone. */
	readonly #work = new Set<Promise<void>>();
	#opening = 0;
	#leases = 0;
	#again: NodeJS.Timeout | undefined;

	constructor(options: PoolOptions<Attached>, surroundings: Surroundings) {
		this.#options = options;
		this.#surroundings = surroundings;
	}

	lease(host: SshHost, signal: AbortSignal | undefined): Promise<ConnectionLease<Attached>> {
		const { promise, resolve, reject } = Promise.withResolvers<ConnectionLease<Attached>>();
		const waiter: Waiter<Attached> = { host, resolve, reject };
		const stop = (): void => {
			if (!this.#waiting.delete(waiter)) return;
			reject(signal?.reason);
			this.#look();
		};
		signal?.addEventListener("abort", stop, { once: true });
		this.#waiting.add(waiter);
		this.assign();
		return promise.finally(() => signal?.removeEventListener("abort", stop));
	}

	/** Gives those who wait the places that there are, and opens as many connections as the others need. */
	assign(): void {
		const lines = [...this.#lines];
		for (const waiter of this.#waiting) {
			if (this.#leases >= waiter.host.maxRuns) break;
			const line = lines.find(({ leases }) => leases < maxLeases);
			if (!line) break;
			this.#waiting.delete(waiter);
			waiter.resolve(this.#take(line));
		}
		for (;;) {
			const [first] = this.#waiting;
			if (!first || this.#again || this.#surroundings.signal.aborted) break;
			const wanted = Math.min(this.#waiting.size, first.host.maxRuns - this.#leases);
			if (wanted <= this.#opening * maxLeases || !this.#surroundings.count(1)) break;
			this.#opening += 1;
			this.#keep(this.#open(first.host));
		}
		this.#look();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#refuse(this.#surroundings.signal.reason);
		for (const line of this.#lines) this.#close(line);
		while (this.#work.size > 0) await Promise.all(this.#work);
	}

	#take(line: Line<Attached>): ConnectionLease<Attached> {
		clearTimeout(line.idle);
		line.idle = undefined;
		line.leases += 1;
		this.#leases += 1;
		let isGiven = true;
		return {
			connection: line.connection,
			attached: line.attached,
			[Symbol.dispose]: () => {
				if (!isGiven) return;
				isGiven = false;
				line.leases -= 1;
				this.#leases -= 1;
				this.#rest(line);
				this.assign();
			},
		};
	}

	/** Closes the connection later when nobody has it by then. */
	#rest(line: Line<Attached>): void {
		if (line.leases > 0 || line.idle || !this.#lines.has(line)) return;
		line.idle = setTimeout(() => this.#close(line), this.#options.idleMs ?? defaultIdleMs).unref();
	}

	async #open(host: SshHost): Promise<void> {
		const { open = openConnection, limits, attach } = this.#options;
		const { signal } = this.#surroundings;
		let failure: unknown;
		try {
			await using opened = new AsyncDisposableStack();
			const connection = opened.use(await open(host, { limits, signal }));
			// What is being attached then fails.
			const stop = (): void => void connection[Symbol.asyncDispose]();
			signal.addEventListener("abort", stop, { once: true });
			opened.defer(() => signal.removeEventListener("abort", stop));
			const attached = await attach(connection, host);
			opened.move();
			signal.removeEventListener("abort", stop);
			const line: Line<Attached> = { connection, attached, leases: 0, idle: undefined };
			this.#lines.add(line);
			if (signal.aborted) this.#close(line);
			else this.#rest(line);
			void connection.closed.then(() => {
				this.#close(line);
				this.assign();
			});
		} catch (cause) {
			failure = cause;
		}
		this.#opening -= 1;
		if (failure !== undefined) this.#fail(failure);
		this.#surroundings.count(-1);
		this.assign();
	}

	/** Those who wait go on waiting while others have connections, or are about to: the host is busy, or restarts. */
	#fail(failure: unknown): void {
		const isPassing = failure instanceof SshError && ["host-unreachable", "host-connection-lost"].includes(failure.code);
		if (!isPassing || this.#lines.size + this.#opening === 0) this.#refuse(failure);
		else
			this.#again ??= setTimeout(() => {
				this.#again = undefined;
				this.assign();
			}, againMs);
	}

	#refuse(cause: unknown): void {
		clearTimeout(this.#again);
		this.#again = undefined;
		for (const { reject } of this.#waiting) reject(cause);
		this.#waiting.clear();
	}

	#close(line: Line<Attached>): void {
		if (!this.#lines.delete(line)) return;
		clearTimeout(line.idle);
		this.#keep(
			(async () => {
				await using _connection = line.connection;
				await line.attached[Symbol.asyncDispose]();
			})(),
		);
		this.#look();
	}

	/** How the end of a connection went is nobody's business. */
	#keep(work: Promise<void>): void {
		const kept = work
			.catch(() => undefined)
			.finally(() => {
				this.#work.delete(kept);
				this.#look();
			});
		this.#work.add(kept);
	}

	#look(): void {
		if (this.#waiting.size + this.#lines.size + this.#leases + this.#work.size > 0) return;
		clearTimeout(this.#again);
		this.#again = undefined;
		this.#surroundings.onEmpty();
	}
}
