import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "ssh2";
import { createHost, type Host } from "../host/index.ts";
import { interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row, ratioTarget } from "./measurement.ts";
import { type BenchSshd, hostEntry, loginOf, startSshd } from "./ssh-server.ts";
import { median } from "./statistics.ts";

const addedMs = 10;
const coldFactor = 1.3;
const manyFactor = 4;
const many = 50;
/** Stock sshd gives a connection ten; the runtime takes eight of them. */
const sessionsPerConnection = 8;
const source = "echo here\n";

/** What does a run on an SSH host cost, against the same interpreter started by a bare SSH client? */
export async function measure(effort: Effort): Promise<Measurement> {
	const question = "a Bash script of one line on an SSH host (sshd on loopback): start → what it says";
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const started = await startSshd(directory);
	if (!started) return { question, rows: [], targets: [], notes: ["not measured: there is no sshd here"] };
	const sshd = opened.use(started);
	const script = join(directory, "script.sh");
	await writeFile(script, source);
	const host = opened.use(await openHost(join(directory, "warm"), sshd));
	const bare = opened.use(await connectBare(sshd));
	const connections = await Promise.all(
		Array.from({ length: Math.ceil(many / sessionsPerConnection) }, async () => opened.use(await connectBare(sshd))),
	);
	const candidate = (name: string, sample: () => Promise<number>, samplesPerRound: number) => ({
		name,
		unit: "ms" as const,
		samplesPerRound,
		sample,
	});
	let colds = 0;
	const rows = await interleave(
		[
			candidate("bare exec, connection there", () => bare.exec(`bash ${script}`), 10),
			candidate("run, connection there", () => run(host), 10),
			candidate("bare connect + exec", () => timeBareCold(sshd, `bash ${script}`), 2),
			candidate("run, first of its connection", () => timeCold(join(directory, `cold-${colds++}`), sshd), 2),
			candidate(
				`${many} bare execs at once, until all have ended`,
				() =>
					timed(() =>
						Promise.all(
							Array.from({ length: many }, (_, index) =>
								connections[Math.floor(index / sessionsPerConnection)]?.exec(`bash ${script}`),
							),
						),
					),
				1,
			),
			candidate(
				`${many} runs at once, until all have ended`,
				() => timed(() => Promise.all(Array.from({ length: many }, () => run(host)))),
				1,
			),
		],
		effort.quick ? 4 : 15,
		effort,
	);
	const [exec, warm, connected, cold, execs, runs] = rows as [Row, Row, Row, Row, Row, Row];
	const added = warm.rounds.map((value, round) => value - (exec.rounds[round] ?? 0));
	return {
		question,
		rows: [...rows, createRow("a run more than a bare exec", "ms", [added])],
		targets: [
			atMostTarget(`a run ≤ a bare exec + ${addedMs} ms`, median(added), addedMs, "ms", added),
			ratioTarget(`the first run of a connection ≤ ${coldFactor} × bare connect + exec`, cold, connected, coldFactor),
			ratioTarget(`${many} runs at once ≤ ${manyFactor} × ${many} bare execs`, runs, execs, manyFactor),
		],
		notes: [
			"a run: record and journal in the store, a directory of its own with the SDK, a socket for its helpers through the connection, removed when it has ended: not counted but in the last two",
			`bare: ssh2 with setNoDelay, ${sessionsPerConnection} sessions a connection where there are many; the script is there`,
			"the host is in this process, and shares the cores with sshd",
		],
	};
}

async function openHost(dataDirectory: string, sshd: BenchSshd): Promise<Host> {
	await mkdir(dataDirectory, { mode: 0o700 });
	await writeFile(join(dataDirectory, "hosts.toml"), hostEntry("bench", sshd), { mode: 0o600 });
	return await createHost({ dataDirectory, limits: { maxWorkers: 1 } });
}

/** Milliseconds until the script says something; resolves when nothing of the run is left. */
async function run(host: Host): Promise<number> {
	const begun = performance.now();
	let said = 0;
	const { status, error } = await host.run({
		mode: "ssh",
		host: "bench",
		script: { name: "bench.sh", source },
		onLog: () => {
			said ||= performance.now() - begun;
		},
	});
	if (status !== "succeeded") throw new Error(`A run ended as ${status}: ${error?.message}`);
	return said;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
	const begun = performance.now();
	await act();
	return performance.now() - begun;
}

/** The process is there, and has loaded what it needs, as a server has. */
async function timeCold(dataDirectory: string, sshd: BenchSshd): Promise<number> {
	await using host = await openHost(dataDirectory, sshd);
	return await run(host);
}

async function timeBareCold(sshd: BenchSshd, command: string): Promise<number> {
	const begun = performance.now();
	await using connection = await connectBare(sshd);
	const connected = performance.now() - begun;
	return connected + (await connection.exec(command));
}

interface BareConnection extends AsyncDisposable {
	/** Milliseconds until the command says something; resolves when it has ended and its channel is closed. */
	exec(command: string): Promise<number>;
}

async function connectBare(sshd: BenchSshd): Promise<BareConnection> {
	const client = new Client();
	client.connect(loginOf(sshd));
	await once(client, "ready");
	client.setNoDelay(true);
	return {
		exec: (command) =>
			new Promise((resolve, reject) => {
				const begun = performance.now();
				client.exec(command, (error, channel) => {
					if (error) return reject(error);
					let said = 0;
					channel.on("close", (code: number) => (code === 0 ? resolve(said) : reject(new Error(`The exit code is ${code}.`))));
					channel.on("data", () => {
						said ||= performance.now() - begun;
					});
					channel.stderr.resume();
				});
			}),
		async [Symbol.asyncDispose]() {
			const closed = once(client, "close");
			client.end();
			await closed;
		},
	};
}
