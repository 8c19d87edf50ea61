import { describe, expect, test } from "vitest";
import { Keeper } from "../../host/executors/ssh/keeper.ts";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import type { SshConnection } from "../../host/executors/ssh/ssh-connection.ts";
import { announceKey, type HostileBehaviour, type LawlessConnection, startHostileHost } from "./hostile-host.ts";
import { testLimits } from "./test-host.ts";

/** Not a part of the window of 2 MiB: there ssh2 would take no more. */
const piece = Buffer.alloc(30_000);

const standardError = 1;

/** More than any window. */
function flood({ _protocol }: LawlessConnection, id: number, kind: "output" | "errors"): void {
	for (let count = 0; count < 200; count++)
		if (kind === "output") _protocol.channelData(id, piece);
		else _protocol.channelExtData(id, piece, standardError);
}

/** What a host says that wants to be taken for one that is well. */
const chatter = (connection: LawlessConnection, id: number): NodeJS.Timeout =>
	setInterval(() => connection._protocol.channelData(id, Buffer.from("x")), 20).unref();

async function withHostile(
	behaviour: HostileBehaviour,
	use: (connection: SshConnection) => Promise<void>,
	limits: { readonly hostSilenceMs: number } = testLimits,
): Promise<void> {
	await using hostile = await startHostileHost(behaviour);
	await using connection = await openConnection(hostile.host, { limits });
	await use(connection);
}

const lost = (why: RegExp) => ({ code: "host-connection-lost", message: expect.stringMatching(why) });

describe("a host", () => {
	describe("that sends more than its window is left, so that what nobody reads does not fill the memory,", () => {
		test.each(["output", "errors"] as const)("in the %s of a session", async (kind) => {
			const onExec: HostileBehaviour["onExec"] = ({ outgoing: { id } }, connection) => flood(connection, id, kind);
			await withHostile({ onExec }, async (connection) => {
				await connection.exec("true");
				expect(await connection.closed).toMatchObject(lost(/has ended: it sends more than it is allowed to\.$/));
			});
		});

		test("in a connection to a socket", async () => {
			const onListen: HostileBehaviour["onListen"] = (_name, accept, connection) => {
				accept();
				connection.openssh_forwardOutStreamLocal("/s", (_error, { outgoing: { id } }) => flood(connection, id, "output"));
			};
			await withHostile({ onListen }, async (connection) => {
				await connection.listen("/s", () => {});
				expect(await connection.closed).toMatchObject(lost(/it sends more than it is allowed to\.$/));
			});
		});
	});

	test("whose connections to a socket have another output, too, is not listened to there", async () => {
		const onListen: HostileBehaviour["onListen"] = (_name, accept, connection) => {
			accept();
			connection.openssh_forwardOutStreamLocal("/s", (_error, { outgoing: { id } }) => {
				flood(connection, id, "errors");
				connection._protocol.channelData(id, Buffer.from("after it"));
			});
		};
		await withHostile({ onListen }, async (connection) => {
			const { promise: heard, resolve } = Promise.withResolvers<string>();
			await connection.listen("/s", (stream) => stream.on("data", (data: Buffer) => resolve(data.toString())));
			expect(await heard).toBe("after it");
		});
	});

	describe("that says something all the time, but does not answer, is left", () => {
		const impatient = { hostSilenceMs: 1_000 };
		const onExec: HostileBehaviour["onExec"] = ({ outgoing: { id } }, connection) => void chatter(connection, id);
		const unanswered = lost(/has ended: it has not answered a request within 1000 ms\.$/);

		test("when it is asked to listen", async () => {
			await withHostile(
				{ onExec, onListen: () => {} },
				async (connection) => {
					(await connection.exec("true")).stdout.resume();
					await expect(connection.listen("/s", () => {})).rejects.toMatchObject(unanswered);
				},
				impatient,
			);
		});

		test("when it is asked to listen no more", async () => {
			const onListen = (name: string, accept: () => void): void => {
				if (!name.startsWith("cancel")) accept();
			};
			await withHostile(
				{ onExec, onListen },
				async (connection) => {
					(await connection.exec("true")).stdout.resume();
					const listening = await connection.listen("/s", () => {});
					await listening[Symbol.asyncDispose]();
					expect(await connection.closed).toMatchObject(unanswered);
				},
				impatient,
			);
		});

		test("when it is asked for a session", async () => {
			const onListen: HostileBehaviour["onListen"] = (_name, accept, connection) => {
				accept();
				connection.openssh_forwardOutStreamLocal("/s", (_error, { outgoing: { id } }) => chatter(connection, id));
			};
			await withHostile(
				{ takesSessions: false, onListen },
				async (connection) => {
					await connection.listen("/s", (stream) => stream.resume());
					await expect(connection.exec("true")).rejects.toMatchObject(unanswered);
				},
				impatient,
			);
		});
	});

	test("that does not close what was closed gets no more connections to a socket", async () => {
		const asked = 400;
		const { promise: answered, resolve } = Promise.withResolvers<number>();
		const onListen: HostileBehaviour["onListen"] = (_name, accept, connection) => {
			accept();
			let taken = 0;
			let answers = 0;
			for (let count = 0; count < asked; count++)
				connection.openssh_forwardOutStreamLocal("/s", (error, channel) => {
					if (!error) {
						taken += 1;
						// From now on it hears nothing of it.
						connection._chanMgr.remove(channel.incoming.id);
					}
					if (++answers === asked) resolve(taken);
				});
		};
		await withHostile({ onListen }, async (connection) => {
			await connection.listen("/s", (stream) => void stream.destroy());
			expect(await answered).toBe(257);
		});
	});

	test("that reads no answers is left before too many wait for it", async () => {
		const onExec: HostileBehaviour["onExec"] = (_channel, { _sock, _protocol }) => {
			_sock.removeAllListeners("data").pause();
			const ask = setInterval(() => {
				// What it has asked before is on its way.
				if (_sock.writableLength === 0) for (let count = 0; count < 5_000; count++) _protocol.ping();
			}, 1);
			_sock.once("close", () => clearInterval(ask));
		};
		await using hostile = await startHostileHost({ onExec });
		await using connection = await openConnection(hostile.host, { limits: testLimits, maxUnreadBytes: 64 * 1024 });
		await connection.exec("true");
		expect(await connection.closed).toMatchObject(lost(/has ended: "it does not read what it is sent"\.$/));
	});

	test("is not asked to prove other keys, which it could send without end", async () => {
		const asked: string[] = [];
		let key: Buffer = Buffer.alloc(0);
		const onExec: HostileBehaviour["onExec"] = (channel, connection) => {
			const { _handlers: handlers } = connection._protocol;
			const { GLOBAL_REQUEST: take } = handlers;
			handlers.GLOBAL_REQUEST = (protocol, name, ...rest) => {
				asked.push(name);
				take.call(handlers, protocol, name, ...rest);
			};
			announceKey(connection, key);
			channel.exit(0);
			channel.end();
		};
		await using hostile = await startHostileHost({ onExec, onListen: (_name, accept) => accept() });
		key = hostile.key;
		await using connection = await openConnection(hostile.host, { limits: testLimits });
		await (await connection.exec("true")).exited;
		await connection.listen("/s", () => {});
		expect(asked).toEqual(["streamlocal-forward@openssh.com"]);
	});

	test("that ends a command with a number that no system has, has not succeeded with it", async () => {
		const onExec: HostileBehaviour["onExec"] = (channel) => {
			channel.exit(256);
			channel.end();
		};
		await withHostile({ onExec }, async (connection) => {
			expect(await (await connection.exec("true")).exited).toEqual({ exitCode: 255, signal: undefined });
		});
	});

	describe("whose keeper is another program", () => {
		/** Answers as a keeper does, with these lines before it is ready. */
		const answering =
			(lines: readonly string[], directory: string): NonNullable<HostileBehaviour["onExec"]> =>
			(channel) => {
				channel.once("data", (told: Buffer) => {
					const nonce = told.toString().split("\n")[1];
					channel.write(`\n${nonce}\n${[...lines, `ready ${directory}`].join("\n")}\n`);
				});
			};

		const start = async (connection: SshConnection, found: (paths: readonly string[]) => void): Promise<Keeper> =>
			await Keeper.start(connection, {
				host: { name: "web1", user: "runner", address: "127.0.0.1", port: 22, directory: undefined } as never,
				...{ name: "cronium-1", family: "cronium-", silenceMs: 30_000 },
				findLeftBehind: async (paths) => {
					found(paths);
					return [];
				},
			});

		test("makes this process remember as much as it is worth", async () => {
			const { promise: found, resolve } = Promise.withResolvers<readonly string[]>();
			const lines = Array.from({ length: 5_000 }, (_, index) => `left /tmp/cronium-${index}`);
			await withHostile({ onExec: answering(lines, "/tmp/cronium-1") }, async (connection) => {
				await start(connection, resolve);
				expect((await found).length).toBe(1_000);
			});
		});

		test.each(["relative", "/has:colon", "/\u001b]0;title\u0007", `/${"x".repeat(2_000)}`])(
			"has no directory %j",
			async (directory) => {
				await withHostile({ onExec: answering([], directory) }, async (connection) => {
					await expect(start(connection, () => {})).rejects.toMatchObject({
						code: "host-unsuitable",
						message: expect.not.stringContaining("\u001b"),
					});
				});
			},
		);
	});
});
