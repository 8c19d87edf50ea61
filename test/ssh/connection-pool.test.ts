import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConnectionPool, maxLeases, type PoolOptions } from "../../host/executors/ssh/connection-pool.ts";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import type { RemoteSession, SshConnection } from "../../host/executors/ssh/ssh-connection.ts";
import { SshError } from "../../host/executors/ssh/ssh-error.ts";
import { sshdObstacle, startSshd, type TestSshd } from "./sshd.ts";
import { testHost, testLimits } from "./test-host.ts";

const obstacle = sshdObstacle();

/** A session that lasts as long as its connection, as the one has that looks after runs. */
class Companion implements AsyncDisposable {
	readonly #session: RemoteSession;

	private constructor(session: RemoteSession) {
		this.#session = session;
	}

	static async attach(connection: SshConnection): Promise<Companion> {
		const session = await connection.exec("cat");
		session.stdout.resume();
		session.stderr.resume();
		return new Companion(session);
	}

	/** Ends with the exit code of its command: the connection was there to say it. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#session.stdin.end();
		await this.#session.ended;
	}
}

async function run(connection: SshConnection, command: string): Promise<number | undefined> {
	const { stdin, stdout, stderr, ended } = await connection.exec(command);
	stdin.end();
	stdout.resume();
	stderr.resume();
	return (await ended).exitCode;
}

describe.skipIf(obstacle !== undefined)("a pool of connections", () => {
	let sshd: TestSshd;
	beforeAll(async () => {
		sshd = await startSshd();
	});
	afterAll(() => sshd[Symbol.asyncDispose]());

	/** A pool, and how many connections it has opened, and had being opened at one time. */
	const createPool = (options: Partial<PoolOptions<AsyncDisposable>> = {}) => {
		const counts = { opened: 0, opening: 0, mostOpening: 0 };
		const pool = new ConnectionPool<AsyncDisposable>({
			limits: testLimits,
			attach: Companion.attach,
			async open(...args) {
				counts.opening += 1;
				counts.mostOpening = Math.max(counts.mostOpening, counts.opening);
				try {
					const connection = await openConnection(...args);
					counts.opened += 1;
					return connection;
				} finally {
					counts.opening -= 1;
				}
			},
			...options,
		});
		return { pool, counts };
	};

	test("fifty runs at once stay below what a stock sshd allows", async () => {
		const before = sshd.log().length;
		const { pool, counts } = createPool();
		{
			await using _pool = pool;
			const leases = await Promise.all(Array.from({ length: 50 }, () => pool.lease(testHost(sshd))));
			const sessions = await Promise.all(leases.map(({ connection }) => connection.exec("cat; exit 7")));
			// All of them are there now.
			for (const { stdin } of sessions) stdin.end();
			for (const [index, session] of sessions.entries()) {
				session.stdout.resume();
				session.stderr.resume();
				expect(await session.ended).toEqual({ exitCode: 7, signal: undefined });
				leases[index]?.[Symbol.dispose]();
			}
		}
		expect(counts).toMatchObject({ opened: Math.ceil(50 / maxLeases), mostOpening: 5 });
		const log = sshd.log().slice(before);
		expect(log).not.toMatch(/MaxStartups|no more sessions/);
		const most = sessionsByPort(log);
		expect([...most.values()].sort()).toEqual([1 + 1, ...Array(7).fill(maxLeases + 1)]);
	});

	test("runs that follow each other at once are none too many, also where sshd still counts those before", async () => {
		const { pool, counts } = createPool();
		await using _pool = pool;
		const exits = await Promise.all(
			Array.from({ length: 60 }, async (_one, index) => {
				using lease = await pool.lease(testHost(sshd, { "max-runs": 2 * maxLeases }));
				return await run(lease.connection, `exit ${index}`);
			}),
		);
		expect(exits).toEqual(Array.from({ length: 60 }, (_one, index) => index));
		expect(counts.opened).toBe(2);
	});

	test("runs one after another share a connection, which is closed when nobody needs it", async () => {
		const { pool, counts } = createPool({ idleMs: 50 });
		await using _pool = pool;
		let connection: SshConnection | undefined;
		for (let count = 0; count < 3; count++) {
			using lease = await pool.lease(testHost(sshd));
			connection ??= lease.connection;
			expect(lease.connection).toBe(connection);
			expect(await run(lease.connection, "sleep 0.1")).toBe(0);
		}
		expect(await connection?.closed).toBeUndefined();
		using lease = await pool.lease(testHost(sshd));
		expect(lease.connection).not.toBe(connection);
		expect(counts.opened).toBe(2);
	});

	test("a place that is given back twice is one place", async () => {
		const { pool, counts } = createPool();
		await using _pool = pool;
		const leases = await Promise.all(Array.from({ length: maxLeases }, () => pool.lease(testHost(sshd))));
		leases[0]?.[Symbol.dispose]();
		leases[0]?.[Symbol.dispose]();
		leases.push(await pool.lease(testHost(sshd)));
		expect(counts.opened).toBe(1);
		leases.push(await pool.lease(testHost(sshd)));
		expect(counts.opened).toBe(2);
		for (const lease of leases) lease[Symbol.dispose]();
	});

	test("a host has as many runs as its entry allows; others wait in their order", async () => {
		const { pool } = createPool();
		await using _pool = pool;
		const host = testHost(sshd, { "max-runs": 2 });
		let running = 0;
		let most = 0;
		const order: number[] = [];
		await Promise.all(
			Array.from({ length: 6 }, async (_one, index) => {
				using lease = await pool.lease(host);
				order.push(index);
				running += 1;
				most = Math.max(most, running);
				await run(lease.connection, "true");
				running -= 1;
			}),
		);
		expect(most).toBe(2);
		expect(order).toEqual([0, 1, 2, 3, 4, 5]);
	});

	test("who does not wait any more takes no place", async () => {
		const { pool } = createPool();
		await using _pool = pool;
		const host = testHost(sshd, { "max-runs": 1 });
		const first = await pool.lease(host);
		const stop = new AbortController();
		const second = pool.lease(host, stop.signal);
		const third = pool.lease(host);
		const reason = new Error("enough");
		stop.abort(reason);
		await expect(second).rejects.toBe(reason);
		await expect(pool.lease(host, stop.signal)).rejects.toBe(reason);
		first[Symbol.dispose]();
		using lease = await third;
		expect(await run(lease.connection, "true")).toBe(0);
	});

	test("a host that is down fails everybody who waits, and one that is back is connected to again", async () => {
		const { pool, counts } = createPool();
		await using _pool = pool;
		const lease = await pool.lease(testHost(sshd));
		await sshd.stop();
		expect(await lease.connection.closed).toMatchObject({ code: "host-connection-lost" });
		lease[Symbol.dispose]();
		const refused = await Promise.allSettled(Array.from({ length: 20 }, () => pool.lease(testHost(sshd))));
		for (const one of refused) expect(one).toMatchObject({ status: "rejected", reason: { code: "host-unreachable" } });
		await sshd.start();
		using again = await pool.lease(testHost(sshd));
		expect(await run(again.connection, "exit 7")).toBe(7);
		expect(counts.opened).toBe(2);
	});

	test("a host that refuses some of the connections serves everybody all the same", async () => {
		await using busy = await startSshd({ configuration: ["MaxStartups 1:100:1"] });
		const { pool } = createPool();
		await using _pool = pool;
		using _first = await pool.lease(testHost(busy));
		const exits = await Promise.all(
			Array.from({ length: 30 }, async () => {
				using lease = await pool.lease(testHost(busy));
				return await run(lease.connection, "sleep 0.1");
			}),
		);
		expect(exits).toEqual(Array(30).fill(0));
		expect(busy.log()).toMatch(/MaxStartups/);
	});

	test("a host that refuses the login fails everybody at once, without trying for each of them", async () => {
		const { pool, counts } = createPool();
		await using _pool = pool;
		const stranger = testHost(sshd, { user: "nobody-of-that-name" });
		const before = sshd.log().length;
		const refused = await Promise.allSettled(Array.from({ length: 20 }, () => pool.lease(stranger)));
		for (const one of refused) expect(one).toMatchObject({ status: "rejected", reason: { code: "host-login-refused" } });
		expect(counts.opened).toBe(0);
		expect(
			sshd
				.log()
				.slice(before)
				.match(/Connection from/g)?.length,
		).toBeLessThanOrEqual(3);
	});

	test("what cannot be attached fails those who wait, and its connection is closed", async () => {
		let connection: SshConnection | undefined;
		const failure = new SshError("host-unsuitable", "no sh");
		const { pool } = createPool({
			attach: async (opened) => {
				connection = opened;
				throw failure;
			},
		});
		await using _pool = pool;
		await expect(pool.lease(testHost(sshd))).rejects.toBe(failure);
		expect(await connection?.closed).toBeUndefined();
	});

	test("other keys of a host, or another way in, make another connection", async () => {
		const { pool, counts } = createPool();
		await using _pool = pool;
		using _one = await pool.lease(testHost(sshd));
		using _other = await pool.lease(testHost(sshd, { "known-hosts": sshd.knownHostsFile }));
		using _same = await pool.lease(testHost(sshd, { tags: ["new"] }));
		expect(counts.opened).toBe(2);
		await expect(pool.lease(testHost(sshd, { fingerprints: [`SHA256:${"a".repeat(43)}`] }))).rejects.toMatchObject({
			code: "host-key-refused",
		});
	});

	test("a pool that is disposed of ends what is attached before its connections, and fails those who wait", async () => {
		const ends: unknown[] = [];
		const { pool } = createPool({
			attach: async (connection) => {
				const companion = await Companion.attach(connection);
				const dispose = async (): Promise<void> => {
					ends.push(await run(connection, "exit 5"));
					await companion[Symbol.asyncDispose]();
				};
				return { [Symbol.asyncDispose]: dispose };
			},
		});
		const host = testHost(sshd, { "max-runs": 1 });
		const lease = await pool.lease(host);
		const waiting = pool.lease(host);
		const refused = expect(waiting).rejects.toMatchObject({ code: "host-connection-lost" });
		await pool[Symbol.asyncDispose]();
		await refused;
		expect(ends).toEqual([5]);
		expect(await lease.connection.closed).toBeUndefined();
		lease[Symbol.dispose]();
		await expect(pool.lease(host)).rejects.toMatchObject({ code: "host-connection-lost" });
		await pool[Symbol.asyncDispose]();
	});

	test("a pool can be disposed of while a connection is opened, or something is attached that never answers", async () => {
		const attaching = Promise.withResolvers<void>();
		const { pool } = createPool({
			attach: async (connection) => {
				attaching.resolve();
				await connection.closed;
				throw new Error("never");
			},
		});
		const waiting = pool.lease(testHost(sshd));
		const refused = expect(waiting).rejects.toMatchObject({ code: "host-connection-lost" });
		await attaching.promise;
		await pool[Symbol.asyncDispose]();
		await refused;
		const { pool: early } = createPool();
		const other = early.lease(testHost(sshd));
		const also = expect(other).rejects.toMatchObject({ code: "host-connection-lost" });
		await early[Symbol.asyncDispose]();
		await also;
	});
});

/** The most sessions that each connection had at one time, by the port that it came from. */
function sessionsByPort(log: string): ReadonlyMap<string, number> {
	const now = new Map<string, number>();
	const most = new Map<string, number>();
	for (const [, what, port = ""] of log.matchAll(/(Starting|Close) session: .* port (\d+) id \d+/g)) {
		const sessions = (now.get(port) ?? 0) + (what === "Starting" ? 1 : -1);
		now.set(port, sessions);
		most.set(port, Math.max(most.get(port) ?? 0, sessions));
	}
	return most;
}
