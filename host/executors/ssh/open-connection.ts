import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type AuthHandlerMiddleware, Client, type KexAlgorithm, type ServerHostKeyAlgorithm } from "ssh2";
import { excerpt } from "../../contract/excerpt.ts";
import type { Limits } from "../../contract/limits.ts";
import { ClientConnection, keepAliveMs } from "./client-connection.ts";
import { fingerprintOf, type HostKeys, keyTypeOf, readHostKeys } from "./host-keys.ts";
import { type Login, openLogin } from "./login.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { describeHost, SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

export interface ConnectionOptions {
	readonly limits: Pick<Limits, "hostSilenceMs">;
	readonly signal?: AbortSignal;
	/** From the name to the login. 15 seconds when not given. */
	readonly timeoutMs?: number;
	/** By what the host is known, when it is not by what its entry says. */
	readonly hostKeys?: HostKeys;
	/** What may wait for the host to read it. What the runs of a connection may have under way when not given. */
	readonly maxUnreadBytes?: number;
}

const defaultMaxUnreadBytes = 128 * 1024 * 1024;

const defaultTimeoutMs = 15_000;

/**
 * A host that hangs up before it has said anything is asked again: an sshd drops connections by chance while others come without logging in (MaxStartups), which
 * on the open network they always do.
 */
const pausesMs = [250, 500];

/**
 * Without the exchange of groups: whoever answers at the address of a host, and has not shown its key yet, could send a prime of any size, and to look at one of 8,192 bits takes this
 * thread a minute.
 */
const keyExchanges: readonly KexAlgorithm[] = [
	"curve25519-sha256",
	"curve25519-sha256@libssh.org",
	"ecdh-sha2-nistp256",
	"ecdh-sha2-nistp384",
	"ecdh-sha2-nistp521",
	"diffie-hellman-group14-sha256",
	"diffie-hellman-group16-sha512",
	"diffie-hellman-group18-sha512",
];

/** How far a connection has come: what a host that hangs has not done. */
type Phase = "connect" | "version" | "key exchange" | "login";

/** Connects to a host, verifies its key and logs in. Rejects with SshError, or the reason of the signal. */
export async function openConnection(host: SshHost, options: ConnectionOptions): Promise<SshConnection> {
	const keys = options.hostKeys ?? readHostKeys(host);
	using login = openLogin(host);
	let { algorithms } = keys;
	const pauses = [...pausesMs];
	// A fingerprint does not say of which kind its key is: when the host shows another one, it is asked for those of the other kinds.
	for (let refused: SshError | undefined; ; ) {
		const attempt = new Attempt(host, login, options, keys, algorithms);
		try {
			return await attempt.run();
		} catch (cause) {
			const pauseMs = attempt.hungUp ? pauses.shift() : undefined;
			if (pauseMs !== undefined) {
				await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => options.signal?.throwIfAborted());
				continue;
			}
			if (!attempt.refusal) throw refused ?? cause;
			refused ??= attempt.refusal;
			algorithms = host.hostKeys.kind === "fingerprints" ? algorithms.filter((one) => !attempt.isShown(one)) : [];
			if (algorithms.length === 0) throw refused;
		}
	}
}

const hangUp: Error & { readonly level?: string; readonly code?: unknown } = new Error("the host closed the connection");

/** Of what a host says before its version; ssh2 itself bears a thousand lines. */
const maxHeardCharacters = 16 * 1024;

/** One connection, up to its login. */
class Attempt {
	/** Why the key that the host has shown is refused. */
	refusal: SshError | undefined;
	/** Whether the host has closed the connection before the version of its SSH. */
	hungUp = false;
	readonly #host: SshHost;
	readonly #login: Login;
	readonly #options: ConnectionOptions;
	readonly #keys: HostKeys;
	readonly #algorithms: readonly ServerHostKeyAlgorithm[];
	readonly #client = new Client();
	#phase: Phase = "connect";
	#hostKey: Buffer | undefined;
	/** What it has said before its version. */
	#heard = "";
	#agentFailure: Error | undefined;
	/** What the host asks for beside what it was shown. */
	#methodsLeft: readonly string[] = [];
	#isPartial = false;

	constructor(
		host: SshHost,
		login: Login,
		options: ConnectionOptions,
		keys: HostKeys,
		algorithms: readonly ServerHostKeyAlgorithm[],
	) {
		this.#host = host;
		this.#login = login;
		this.#options = options;
		this.#keys = keys;
		this.#algorithms = algorithms;
	}

	isShown(algorithm: string): boolean {
		const shown = this.#hostKey ? keyTypeOf(this.#hostKey) : "";
		return shown === (algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
	}

	async run(): Promise<SshConnection> {
		const { signal, timeoutMs = defaultTimeoutMs } = this.#options;
		signal?.throwIfAborted();
		const { address, port } = this.#host;
		const socket = connect({ host: address, port, noDelay: true });
		let late: NodeJS.Timeout | undefined;
		let stop: (() => void) | undefined;
		try {
			return await new Promise<SshConnection>((resolve, reject) => {
				late = setTimeout(() => reject(this.#hangs(timeoutMs)), timeoutMs);
				stop = () => reject(signal?.reason);
				signal?.addEventListener("abort", stop, { once: true });
				socket.once("error", (error) => reject(this.#describe(error)));
				socket.once("connect", () => this.#begin(socket, resolve, reject));
			});
		} catch (cause) {
			// Whatever they still say is heard by nobody.
			this.#client.on("error", () => {});
			socket.on("error", () => {});
			socket.destroy();
			throw cause;
		} finally {
			clearTimeout(late);
			if (stop) signal?.removeEventListener("abort", stop);
		}
	}

	#begin(socket: Socket, resolve: (connection: SshConnection) => void, reject: (cause: unknown) => void): void {
		const { hostSilenceMs: silenceMs } = this.#options.limits;
		this.#phase = "version";
		const listen = (chunk: Buffer): void => {
			this.#heard = `${this.#heard}${chunk.toString("latin1")}`.slice(0, maxHeardCharacters);
			if (!/^SSH-(?:2\.0|1\.99)-/m.test(this.#heard)) return;
			socket.off("data", listen);
			this.#phase = "key exchange";
		};
		socket.on("data", listen);
		const { maxUnreadBytes = defaultMaxUnreadBytes } = this.#options;
		// ssh2 answers whatever a host asks, also one that reads no answers.
		socket.on("data", () => {
			if (socket.writableLength > maxUnreadBytes) socket.destroy(new Error("it does not read what it is sent"));
		});
		const client = this.#client;
		const onError = (error: Error & { level?: string }): void => {
			// The keys of the agent that are left are tried all the same.
			if (error.level === "agent") this.#agentFailure ??= error;
			else reject(this.#describe(error));
		};
		const onClose = (): void => reject(this.#describe(hangUp));
		client.on("error", onError);
		client.once("close", onClose);
		client.once("handshake", () => {
			this.#phase = "login";
		});
		client.once("ready", () => {
			client.off("error", onError);
			client.off("close", onClose);
			const facts = { description: describeHost(this.#host), hostKey: fingerprintOf(this.#hostKey as Buffer), silenceMs };
			resolve(new ClientConnection(client, socket, facts));
		});
		client.connect({
			sock: socket,
			username: this.#host.user,
			authHandler: this.#authenticate(),
			hostVerifier: (key: Buffer) => this.#verify(key),
			algorithms: { kex: [...keyExchanges], serverHostKey: [...this.#algorithms], compress: ["none"] },
			// The time is measured here.
			readyTimeout: 0,
			keepaliveInterval: keepAliveMs(silenceMs),
			// Who is silent is watched by the connection itself.
			keepaliveCountMax: Number.POSITIVE_INFINITY,
			// Servers of others say themselves what they do not have.
			strictVendor: false,
		});
		refuseRequests(client);
		this.#login.prepare(client);
	}

	/** Again at each exchange of keys that follows: the key must stay the one that it was. */
	#verify(key: Buffer): boolean {
		if (this.#hostKey) return this.#hostKey.equals(key);
		this.#hostKey = Buffer.from(key);
		this.refusal = this.#keys.refuse(this.#hostKey);
		return this.refusal === undefined;
	}

	#authenticate(): AuthHandlerMiddleware {
		let tried = false;
		return (methodsLeft, isPartial, next) => {
			if (tried) {
				this.#methodsLeft = methodsLeft ?? [];
				this.#isPartial = isPartial === true;
				// The types have no way to say that there is nothing more.
				return next(false as never);
			}
			tried = true;
			next(this.#login.method);
		};
	}

	#describe(error: Error & { level?: string; code?: unknown }): SshError {
		if (this.refusal) return this.refusal;
		const at = describeHost(this.#host);
		if (this.#phase === "connect") {
			this.hungUp = error.code === "ECONNRESET";
			return new SshError("host-unreachable", `${at} cannot be reached: ${this.#networkFailure(error)}.`, { cause: error });
		}
		const said = excerpt(error.message, 200);
		if (this.#phase === "login") {
			const agent = this.#agentFailure ? ` The agent said: ${excerpt(this.#agentFailure.message, 200)}.` : "";
			const methods = this.#methodsLeft.map((one) => excerpt(one)).join(", ");
			const why = this.#isPartial
				? `is not enough: the host wants ${methods} as well, which a program cannot give`
				: error.level === "client-authentication"
					? `is not accepted for ${this.#host.user}${methods === "" ? "" : ` (the host offers ${methods})`}; the log of its sshd says why`
					: `was not accepted: ${said}`;
			return new SshError("host-login-refused", `${at} refuses the login: ${this.#login.description} ${why}.${agent}`, {
				cause: error,
			});
		}
		if (this.#phase === "key exchange")
			return new SshError("host-unreachable", `${at} failed at the exchange of keys: ${said}.`, { cause: error });
		this.hungUp = error === hangUp || error.code === "ECONNRESET" || error.message === "Connection lost before handshake";
		const what = this.hungUp ? "hung up before the version of its SSH" : `does not speak SSH (${said})`;
		const heard = this.#heard === "" ? "it said nothing" : `it said ${excerpt(this.#heard.trim())}`;
		return new SshError("host-unreachable", `${at} ${what}; ${heard}. It may be busy, or no SSH server.`, { cause: error });
	}

	#networkFailure(error: Error & { code?: unknown }): string {
		const { address, port } = this.#host;
		const code = String(error.code);
		const known: Readonly<Record<string, string>> = {
			ENOTFOUND: `the name ${address} does not resolve`,
			EAI_AGAIN: `the name ${address} does not resolve now (no answer of a name server)`,
			ECONNREFUSED: `nobody listens on port ${port}`,
			EHOSTUNREACH: "there is no way to it",
			ENETUNREACH: "there is no way to its network",
			ETIMEDOUT: "it does not answer",
			ECONNRESET: "it hung up at once; it may be busy",
		};
		return known[code] === undefined ? excerpt(error.message, 200) : `${known[code]} (${code})`;
	}

	#hangs(timeoutMs: number): SshError {
		const missing: Readonly<Record<Phase, string>> = {
			connect: "does not answer",
			version: "accepts connections and says nothing; no SSH server is behind that port, or it hangs",
			"key exchange": "has stopped in the exchange of keys",
			login: `has not said whether it accepts ${this.#login.description}`,
		};
		return new SshError("host-unreachable", `${describeHost(this.#host)} ${missing[this.#phase]} within ${timeoutMs} ms.`);
	}
}

/** What ssh2 1.17 has behind its interface. Its version is pinned, and test/ssh/hostile-hosts.test.ts fails without it. */
interface GlobalRequests {
	GLOBAL_REQUEST(protocol: { requestFailure(): void }, name: string, wantsAnswer: boolean): void;
}

/** A host has nothing to ask for. ssh2 takes other host keys from it, asks it to prove them, and keeps them until it does: as many as the host likes. */
function refuseRequests(client: Client): void {
	const { _protocol: protocol } = client as unknown as { readonly _protocol: { readonly _handlers: GlobalRequests } };
	protocol._handlers.GLOBAL_REQUEST = (own, _name, wantsAnswer) => {
		if (wantsAnswer) own.requestFailure();
	};
}
