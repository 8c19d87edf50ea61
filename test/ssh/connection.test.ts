import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostMembers } from "../../host/executors/ssh/host-entry.ts";
import { type ConnectionOptions, openConnection } from "../../host/executors/ssh/open-connection.ts";
import type { RemoteExit, SshConnection } from "../../host/executors/ssh/ssh-connection.ts";
import { sshdObstacle, startSshd, type TestSshd } from "./sshd.ts";
import { testHost, testLimits } from "./test-host.ts";

const obstacle = sshdObstacle();

describe.skipIf(obstacle !== undefined)("a connection", () => {
	let sshd: TestSshd;
	beforeAll(async () => {
		sshd = await startSshd();
	});
	afterAll(() => sshd[Symbol.asyncDispose]());

	const open = async (members: Partial<HostMembers> = {}, options: Partial<ConnectionOptions> = {}): Promise<SshConnection> =>
		await openConnection(testHost(sshd, members), { limits: testLimits, ...options });

	describe("is refused, with what hinders it,", () => {
		test("when the name of the host does not resolve", async () => {
			await expect(open({ address: "no-such-host.invalid" })).rejects.toMatchObject({
				name: "SshError",
				code: "host-unreachable",
				message: expect.stringMatching(
					/^web1 \(.*@no-such-host\.invalid port \d+\) cannot be reached: the name no-such-host\.invalid does not resolve/,
				),
			});
		});

		test("when nobody listens", async () => {
			await expect(open({ port: 1 })).rejects.toMatchObject({
				code: "host-unreachable",
				message: expect.stringContaining("cannot be reached: nobody listens on port 1 (ECONNREFUSED)."),
			});
		});

		test.each<[string, (socket: Socket) => void, RegExp]>([
			["when the host says nothing", () => {}, /accepts connections and says nothing; .* within 400 ms\.$/],
			[
				"when the host stops after its version",
				(socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"),
				/has stopped in the exchange of keys within 400 ms\.$/,
			],
			[
				"when the host hangs up",
				(socket) => socket.end("Exceeded MaxStartups\r\n"),
				/hung up before the version of its SSH; it said "Exceeded MaxStartups"\. It may be busy, or no SSH server\.$/,
			],
			["when the host resets the connection", (socket) => socket.resetAndDestroy(), /hung up/],
			[
				"when the host is no SSH server",
				(socket) => socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"),
				/hung up before the version of its SSH; it said "HTTP\/1\.1 400 Bad Request/,
			],
			[
				"when the host talks without end",
				(socket) => {
					const talk = setInterval(() => socket.write("hello\r\n".repeat(10_000)), 1);
					socket.once("close", () => clearInterval(talk));
				},
				/does not speak SSH \(.*greeting/,
			],
			["when the host speaks an old SSH", (socket) => socket.end("SSH-1.5-OpenSSH_1.0\r\n"), /it said "SSH-1\.5-OpenSSH_1\.0"/],
		])("%s", async (_when, answer, message) => {
			const sockets = new Set<Socket>();
			const server = createServer((socket) => {
				sockets.add(socket);
				socket.on("error", () => {}).resume();
				answer(socket);
			});
			server.listen(0, "127.0.0.1");
			await once(server, "listening");
			const { port } = server.address() as { readonly port: number };
			try {
				await expect(open({ port, address: "127.0.0.1" }, { timeoutMs: 400 })).rejects.toMatchObject({
					code: "host-unreachable",
					message: expect.stringMatching(message),
				});
				// Nothing of it is left open.
				for (const socket of sockets) if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
			} finally {
				server.close();
			}
		});

		test("when nobody waits for it any more", async () => {
			const reason = new Error("enough");
			await expect(open({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
			const stop = new AbortController();
			const opening = open({}, { signal: stop.signal });
			stop.abort(reason);
			await expect(opening).rejects.toBe(reason);
		});
	});

	/** What a command prints, and how it ends. */
	const run = async (
		connection: SshConnection,
		command: string,
		input = "",
	): Promise<RemoteExit & { readonly stdout: string; readonly stderr: string }> => {
		const session = await connection.exec(command);
		session.stdin.end(input);
		const [stdout, stderr, exit] = await Promise.all([text(session.stdout), text(session.stderr), session.ended]);
		return { ...exit, stdout, stderr };
	};

	test("tells of the host what it has seen of it", async () => {
		await using connection = await open();
		expect(connection.hostKey).toBe(sshd.fingerprint);
		expect(connection.remoteAddress).toBe("127.0.0.1");
	});

	test("runs commands, with their input, output, exit codes and signals", async () => {
		await using connection = await open();
		expect(await run(connection, "cat; echo no >&2; exit 3", "yes")).toEqual({
			exitCode: 3,
			signal: undefined,
			stdout: "yes",
			stderr: "no\n",
		});
		expect(await run(connection, "kill -9 $$")).toMatchObject({ exitCode: undefined, signal: "KILL" });
		const large = await run(connection, "head -c 5000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2");
		expect([large.stdout.length, large.stderr.length, large.exitCode]).toEqual([5_000_000, 3_000_000, 0]);
	});

	test("gives up a session without ending the others", async () => {
		await using connection = await open();
		const given = await connection.exec("echo begun; exec sleep 1000");
		await once(given.stdout, "readable");
		given.close();
		await given.ended;
		expect(await run(connection, "pkill -f '^sleep 1000' -u $(id -u); echo on")).toMatchObject({ stdout: "on\n" });
	});

	test("says when the host allows no more sessions", async () => {
		await using narrow = await startSshd({ configuration: ["MaxSessions 1"] });
		await using connection = await openConnection(testHost(narrow), { limits: testLimits });
		const first = await connection.exec("cat");
		await expect(connection.exec("true")).rejects.toMatchObject({
			code: "host-unsuitable",
			message: expect.stringMatching(/^web1 .* refuses another session on a connection: MaxSessions of its sshd has to be 10/),
		});
		first.close();
	});

	describe("listens on a socket of the host,", () => {
		test("for the account only, and for as long as it is asked to", async () => {
			await using connection = await open();
			const path = join(sshd.directory, "homes", "listen.sock");
			const home = sshd.account.home.startsWith(sshd.directory) ? join(sshd.account.home, "s") : path;
			const listening = await connection.listen(home, (stream) => stream.pipe(stream));
			expect((await run(connection, `stat -c %a ${home}`)).stdout).toBe("600\n");
			const client = `const c = require("node:net").connect(${JSON.stringify(home)}); c.on("error", (e) => console.log(e.code)); process.stdin.pipe(c).pipe(process.stdout)`;
			const command = `${process.execPath} -e '${client}'`;
			const sent = "x".repeat(3_000_000);
			expect((await run(connection, command, sent)).stdout).toBe(sent);
			await expect(connection.listen(home, () => {})).rejects.toThrow("is listened on already");
			await listening[Symbol.asyncDispose]();
			await listening[Symbol.asyncDispose]();
			expect((await run(connection, command)).stdout).toBe("ECONNREFUSED\n");
		});

		test("or says why it cannot", async () => {
			await using closed = await startSshd({ configuration: ["AllowStreamLocalForwarding no"] });
			await using connection = await openConnection(testHost(closed), { limits: testLimits });
			await expect(connection.listen(join(closed.account.home, "s"), () => {})).rejects.toMatchObject({
				code: "host-unsuitable",
				message: expect.stringMatching(
					/^web1 .* refuses to listen on the Unix socket .*: its sshd needs AllowStreamLocalForwarding/,
				),
			});
			await using other = await open();
			await expect(other.listen("/nowhere/s", () => {})).rejects.toMatchObject({ code: "host-unsuitable" });
		});
	});

	/** All that can be done with a connection after its end. */
	const useAfterTheEnd = async (connection: SshConnection): Promise<void> => {
		await expect(connection.exec("true")).rejects.toMatchObject({ code: "host-connection-lost" });
		await expect(connection.listen("/tmp/never.sock", () => {})).rejects.toMatchObject({ code: "host-connection-lost" });
		await connection[Symbol.asyncDispose]();
		await connection[Symbol.asyncDispose]();
	};

	test("ends when it is disposed of, with its sessions", async () => {
		const connection = await open();
		const { stdin, stdout, stderr, ended } = await connection.exec("cat");
		stdout.resume();
		stderr.resume();
		await connection[Symbol.asyncDispose]();
		expect(await connection.closed).toBeUndefined();
		expect(await ended).toEqual({ exitCode: undefined, signal: undefined });
		// No error without a listener, which would end the process.
		stdin.write("anybody there?");
		stdin.end();
		stdin.write("behind the end");
		await useAfterTheEnd(connection);
	});

	test("ends with the host, and says so", async () => {
		const connection = await open();
		await using _listening = await connection.listen(join(sshd.account.home, "gone.sock"), () => {});
		const { stdout, stderr, ended } = await connection.exec("exec sleep 1000");
		stdout.resume();
		stderr.resume();
		await sshd.stop();
		expect(await ended).toEqual({ exitCode: undefined, signal: undefined });
		expect(await connection.closed).toMatchObject({
			code: "host-connection-lost",
			message: expect.stringMatching(/^The connection to web1 \(.*\) has ended: /),
		});
		await useAfterTheEnd(connection);
		await sshd.start();
		await using again = await open();
		expect(await run(again, "pkill -u $(id -u) sleep; echo back")).toMatchObject({ stdout: "back\n" });
	});

	test("survives a host that hangs for less than the limit, and ends with one that hangs for longer", async () => {
		const connection = await open({}, { limits: { hostSilenceMs: 2_000 } });
		const patient = await open({}, { limits: { hostSilenceMs: 600_000 } });
		const pending = connection.exec("true");
		await pending;
		sshd.freeze();
		try {
			expect(await connection.closed).toMatchObject({
				code: "host-connection-lost",
				message: expect.stringMatching(/has ended: it has shown no life for 2000 ms\.$/),
			});
			await useAfterTheEnd(connection);
		} finally {
			sshd.thaw();
		}
		expect(await run(patient, "echo on")).toMatchObject({ stdout: "on\n" });
		await patient[Symbol.asyncDispose]();
	});

	test("that does nothing is kept alive", async () => {
		const before = sshd.log().length;
		await using connection = await open({}, { limits: { hostSilenceMs: 1_000 } });
		// Without an answer to it the watch would have cut the connection by then.
		let isClosed = false;
		void connection.closed.then(() => {
			isClosed = true;
		});
		await new Promise((resolve) => setTimeout(resolve, 2_500));
		expect(isClosed).toBe(false);
		expect(sshd.log().slice(before)).not.toContain("Disconnected");
	});

	test("lets no host choose a group for the exchange of keys, which takes minutes to look at", async () => {
		await using choosing = await startSshd({ configuration: ["KexAlgorithms diffie-hellman-group-exchange-sha256"] });
		await expect(openConnection(testHost(choosing), { limits: testLimits })).rejects.toMatchObject({
			code: "host-unreachable",
			message: expect.stringContaining("failed at the exchange of keys"),
		});
	});

	test("takes no host key by a signature with SHA-1", async () => {
		await using weak = await startSshd({ configuration: ["HostKeyAlgorithms ssh-rsa"], moreHostKeys: ["rsa"] });
		await expect(openConnection(testHost(weak), { limits: testLimits })).rejects.toMatchObject({
			code: "host-unreachable",
			message: expect.stringContaining("failed at the exchange of keys"),
		});
	});
});
