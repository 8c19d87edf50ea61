import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readClientFiles, type TlsFiles } from "./certificates.ts";
import { encodeRequest, exchangeMany, KeptConnection, openConnections, type Place } from "./http-client.ts";
import { Program } from "./program.ts";

const program = fileURLToPath(new URL("../bin/cronium.js", import.meta.url));

/** What a bench needs more of than a script: calls of one run as fast as the server can. */
const limits = {
	maxWorkers: 1,
	maxExternalRuns: 10_000,
	maxCallsPerSecond: 1_000_000,
	maxNamespaceCallsPerSecond: 1_000_000,
	maxAddressRequestsPerSecond: 1_000_000,
	maxAddressConnections: 10_000,
	maxHostCalls: 100_000_000,
	maxJournalBytes: "24MiB",
	maxWallTimeMs: "1h",
	tokenLifetimeMs: "1h",
};

/** An external run with a token. */
export interface TokenHolder {
	readonly id: string;
	readonly token: string;
}

/** `cronium serve` in a process of its own, with a data directory of its own. */
export class RuntimeServer implements AsyncDisposable {
	readonly place: Place;
	/** What connects an SDK, but for the token. */
	readonly environment: Readonly<Record<string, string>>;
	readonly #program: Program;
	readonly #controlPlace: Place;
	readonly #control: KeptConnection;
	readonly #credential: string;

	private constructor(started: {
		readonly program: Program;
		readonly place: Place;
		readonly environment: RuntimeServer["environment"];
		readonly controlPlace: Place;
		readonly control: KeptConnection;
		readonly credential: string;
	}) {
		this.place = started.place;
		this.environment = started.environment;
		this.#program = started.program;
		this.#controlPlace = started.controlPlace;
		this.#control = started.control;
		this.#credential = started.credential;
	}

	/** Starts one that listens on loopback, or on a Unix socket in the directory. */
	static async start(directory: string, transport: "tcp" | "unix", tls?: TlsFiles): Promise<RuntimeServer> {
		const data = join(directory, "data");
		const socket = join(directory, "runtime.sock");
		const controlSocket = join(directory, "control.sock");
		const server = Program.start(
			[
				process.execPath,
				program,
				"serve",
				...["--data", data, "--drain", "0s", "--control-listen", `unix:${controlSocket}`],
				...["--listen", transport === "unix" ? `unix:${socket}` : "127.0.0.1:0"],
				...(tls
					? ["--tls-cert", tls.certificate, "--tls-key", tls.key, ...(tls.isMutual ? ["--tls-client-ca", tls.issuer] : [])]
					: []),
				...Object.entries(limits).flatMap(([name, value]) => ["--limit", `${name}=${value}`]),
			],
			{ cwd: directory, says: "stderr" },
		);
		try {
			const url = (await server.line()).replace(/^.* on /, "");
			await server.line();
			const credential = (await readFile(join(data, "keys", "operator.token"), "utf8")).trim();
			const client = tls && { tls: await readClientFiles(tls) };
			const controlPlace = { address: { path: controlSocket }, ...client };
			const isUnix = transport === "unix";
			return new RuntimeServer({
				program: server,
				place: { address: isUnix ? { path: socket } : { host: "127.0.0.1", port: Number(new URL(url).port) }, ...client },
				environment: isUnix ? { CRONIUM_SOCKET: socket } : { CRONIUM_API_URL: url },
				controlPlace,
				control: await KeptConnection.open(controlPlace),
				credential,
			});
		} catch (error) {
			await server.end("SIGTERM");
			throw error;
		}
	}

	get processorTime(): number {
		return this.#program.processorTime;
	}

	/** A call of the control API. */
	control(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
		return this.#call(this.#control, method, path, body);
	}

	/** Starts external runs, each in a namespace of its own with the variable `key`, a text of 100 bytes that begins with the run's number. */
	async startRuns(count: number): Promise<readonly TokenHolder[]> {
		const holders: TokenHolder[] = [];
		using controls = await openConnections(this.#controlPlace, 16);
		await exchangeMany(controls, count, async (connection, number) => {
			const { id } = await this.#call(connection, "POST", "/runs", { mode: "external", namespace: `bench-${number}` });
			const { token } = await this.#call(connection, "POST", `/runs/${id}/tokens`, {});
			holders[number] = { id: id as string, token: token as string };
		});
		using connections = await openConnections(this.place, 16);
		await exchangeMany(connections, count, async (connection, number) => {
			const { token } = holders[number] as TokenHolder;
			const { status, body } = await connection.exchange(encodeRequest("PUT", "/v1/variables/key", token, textOf(number)));
			if (status !== 200) throw new Error(`The variable of run ${number} was not set: ${status} ${body}`);
		});
		return holders;
	}

	async #call(connection: KeptConnection, method: string, path: string, body?: object): Promise<Record<string, unknown>> {
		const text = body && JSON.stringify(body);
		const answer = await connection.exchange(encodeRequest(method, `/control/v1${path}`, this.#credential, text));
		if (answer.status >= 300) throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.body}`);
		return JSON.parse(answer.body) as Record<string, unknown>;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#control.close();
		await this.#program.end("SIGTERM");
	}
}

/** The value of the variable `key` of the run: a JSON text of 100 bytes. */
export const textOf = (number: number): string => JSON.stringify(String(number).padEnd(98, "x"));
