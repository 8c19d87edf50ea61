import { RuntimeError } from "../../contract/errors.ts";
import type { Limits } from "../../contract/limits.ts";
import type { Failure } from "../../execution.ts";
import { unlessAborted, within } from "../../within.ts";
import { describeScriptEnd, type ExecutorEnd, endWithout, noUsage, scriptFailure, stopFailure } from "../executor-end.ts";
import { PlaceQueue } from "../place-queue.ts";
import type { PlacedScript } from "../script-job.ts";
import type { ServedPlan, ServedRuns } from "../served-runs.ts";
import { AccountDomains } from "./account-domains.ts";
import { type ConnectionLease, ConnectionPool } from "./connection-pool.ts";
import { Keeper } from "./keeper.ts";
import { runRemotely } from "./remote-run.ts";
import type { ScriptDoor, ScriptDoors, SshDoors } from "./script-door.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { SshError } from "./ssh-error.ts";
import type { Reach, SshHost } from "./ssh-host.ts";
import { directoryFamily, directoryName, leftBehind } from "./sweep.ts";
import { UrlProbe } from "./url-probe.ts";

/** One run for this executor. */
export interface SshRun extends ServedPlan {
	readonly namespace: string;
	readonly host: SshHost;
	/** `auto`: by the URL when the host reaches it, else by the tunnel. */
	readonly reach: Reach | "auto";
	readonly script: PlacedScript;
	readonly limits: Limits;
	/** Resolves when the run is in the store. */
	readonly recorded: Promise<void>;
}

export interface SshExecutorParts {
	readonly hostId: string;
	/** The data directory, by a name that no other has. */
	readonly installation: string;
	/** The limits of the host. */
	readonly limits: Limits;
	readonly served: ServedRuns;
	/** The doors that whoever serves has added. */
	readonly doors: SshDoors;
	readonly openTunnel: () => Promise<ScriptDoors & AsyncDisposable>;
	/** Ids of the hosts of the data directory that live. */
	readonly liveHosts: () => Promise<readonly string[]>;
	/** An entry of hosts.toml as it is now. */
	readonly findHost: (name: string) => SshHost | undefined;
}

/** The keeper ends a run by itself so many seconds after this process should have. */
const lateSeconds = 10;
/** How long a host is asked for once more, after a connection broke, to remove what was left there. In milliseconds. */
const reclaimMs = 5_000;

/** Puts scripts onto SSH hosts. */
export class SshExecutor implements AsyncDisposable {
	readonly #parts: SshExecutorParts;
	readonly #places: PlaceQueue;
	readonly #pool: ConnectionPool<Keeper>;
	readonly #domains: AccountDomains;
	readonly #probe = new UrlProbe();
	/** Names of the directories of connections that are in use. */
	readonly #used = new Set<string>();
	#tunnel: Promise<ScriptDoors & AsyncDisposable> | undefined;

	constructor(parts: SshExecutorParts) {
		this.#parts = parts;
		const { limits, findHost } = parts;
		this.#places = new PlaceQueue({ places: limits.maxRemoteRuns, maxOwnerPlaces: limits.maxNamespaceRuns });
		this.#domains = new AccountDomains(findHost);
		this.#pool = new ConnectionPool({ limits, attach: (connection, host) => this.#attach(connection, host) });
	}

	/** Runs the script to its end. Never rejects: what goes wrong is in the answer. */
	async run(run: SshRun): Promise<ExecutorEnd> {
		const { namespace, limits, signal } = run;
		const end = await this.#places.within(namespace, signal, () => this.#runInPlace(run));
		return end ?? endWithout(stopFailure(limits, signal));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#places.close();
		await this.#pool[Symbol.asyncDispose]();
		await (await this.#tunnel?.catch(() => undefined))?.[Symbol.asyncDispose]();
	}

	async #runInPlace(run: SshRun): Promise<ExecutorEnd> {
		const { limits, signal, host } = run;
		let taken: ConnectionLease<Keeper>;
		let doors: ScriptDoors;
		try {
			taken = await this.#pool.lease(host, signal);
		} catch (cause) {
			return endWithout(signal.aborted ? stopFailure(limits, signal) : describeFailure(cause));
		}
		using lease = taken;
		try {
			this.#domains.require(host, lease.connection.hostKey);
			doors = await unlessAborted(signal, this.#findDoors(run, lease));
		} catch (cause) {
			return endWithout(signal.aborted ? stopFailure(limits, signal) : describeFailure(cause));
		}
		return await this.#runOver(run, lease, doors);
	}

	async #runOver(
		run: SshRun,
		{ connection, attached: keeper }: ConnectionLease<Keeper>,
		doors: ScriptDoors,
	): Promise<ExecutorEnd> {
		const { host, script, limits, signal, recorded } = run;
		const graceMs = this.#parts.limits.containerGraceMs;
		const opened = this.#parts.served.open(run);
		let door: ScriptDoor | undefined;
		const close = async (): Promise<void> => {
			opened.close();
			await door?.[Symbol.asyncDispose]();
		};
		let exitCode: number | undefined;
		let problem: Failure | undefined;
		try {
			exitCode = await runRemotely({
				...{ host, connection, keeper, script, graceMs, signal, recorded, close },
				seconds: Math.ceil((limits.maxWallTimeMs + graceMs) / 1_000) + lateSeconds,
				openDoor: async (directory) => {
					door = await doors.open(opened.run, { host, line: connection, directory });
					return door;
				},
				print: opened.print,
			});
		} catch (cause) {
			problem = describeFailure(cause);
			if (problem.code === "host-connection-lost") await this.#reclaim(host, connection);
		}
		const remainder = await opened.settle();
		const failure = problem ?? scriptFailure(exitCode as number);
		return describeScriptEnd(remainder, run, failure, exitCode, { ...noUsage, hostCalls: opened.run.calls });
	}

	/** Gives a connection its keeper, without which it has no runs. */
	async #attach(connection: SshConnection, host: SshHost): Promise<Keeper> {
		const { installation, hostId, limits, liveHosts } = this.#parts;
		const name = directoryName(installation, hostId);
		this.#used.add(name);
		void connection.closed.then(() => this.#used.delete(name));
		const keeper = await Keeper.start(connection, {
			...{ host, name },
			family: directoryFamily(installation),
			silenceMs: limits.hostSilenceMs,
			findLeftBehind: async (paths) => leftBehind({ paths, hostId, used: this.#used, liveHosts: await liveHosts() }),
		});
		// What it was to watch over is swept by the next one.
		keeper.lost.addEventListener("abort", () => void connection[Symbol.asyncDispose](), { once: true });
		return keeper;
	}

	/** Connects once more to a host whose connection broke, if that can be done at once: what its keeper could not remove is removed by the next one. */
	async #reclaim(host: SshHost, broken: SshConnection): Promise<void> {
		const late = AbortSignal.timeout(reclaimMs);
		const reclaiming = (async () => {
			// Until then it is one of those that are used.
			await broken.closed;
			using lease = await this.#pool.lease(host, late);
			await lease.attached.swept;
		})();
		await within(
			reclaiming.catch(() => undefined),
			reclaimMs,
		);
	}

	async #findDoors({ host, reach }: SshRun, { connection, attached }: ConnectionLease<Keeper>): Promise<ScriptDoors> {
		const { url, agents } = this.#parts.doors;
		if (reach === "agent" && agents) return agents;
		if (url && reach === "url") return url;
		if (url && reach === "auto" && (await this.#probe.reaches(connection, attached.directory, url))) return url;
		if (reach === "agent" || reach === "url")
			throw new RuntimeError(
				"unavailable",
				`The ${reach} by which scripts on ${host.name} reach their helpers is not there any more.`,
			);
		this.#tunnel ??= this.#parts.openTunnel().catch((cause) => {
			this.#tunnel = undefined;
			throw cause;
		});
		return await this.#tunnel;
	}
}

function describeFailure(cause: unknown): Failure {
	if (cause instanceof SshError) return { code: cause.code, message: cause.message };
	if (cause instanceof RuntimeError)
		return { code: cause.code === "denied" ? "denied" : "host-unsuitable", message: cause.message };
	process.emitWarning(`A script could not be run on its host: ${(cause as Error).message}`, "CroniumWarning");
	return { code: "internal", message: "The run could not be prepared on its host." };
}
