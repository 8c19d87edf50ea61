import { AuditLog } from "./audit.ts";
import { Executions } from "./executions.ts";
import type { ContainerExecutor } from "./executors/container/executor.ts";
import { languageImages } from "./executors/container/language-images.ts";
import type { ContainerSettings } from "./executors/container/opened-engine.ts";
import { ServedRuns } from "./executors/served-runs.ts";
import type { SshDoors } from "./executors/ssh/script-door.ts";
import { Host, type HostParts } from "./host.ts";
import type { Traffic } from "./http/traffic.ts";
import { claimSweep, sweep } from "./retention.ts";
import type { SshMode } from "./ssh-mode.ts";
import { pythonImages } from "./store/data-directory.ts";
import { claimHost, deadHosts, isHostAlive } from "./store/hosts.ts";
import type { Store } from "./store/store.ts";
import type { ExecutionTokens } from "./tokens/execution-tokens.ts";

/** What is there when the threads have been started. */
export interface HostBasis extends Pick<HostParts, "store" | "executor" | "limits" | "engine"> {
	readonly directory: string;
	readonly containers: ContainerSettings;
	/** The name of this process, when the store keeps its audit log: nobody else may have it. */
	readonly auditId: string | undefined;
	/** What has been opened so far; the host takes it over and disposes of it. */
	readonly opened: AsyncDisposableStack;
}

const tidyEveryMs = 10 * 60_000;
/** Longest time that a host which is disposed of goes on tidying. */
const tidyAtEndMs = 1_000;

/** Makes a Host on an open store: known to other processes, and tidying the data directory from time to time. */
export async function assembleHost({ directory, containers, auditId, opened, ...parts }: HostBasis): Promise<Host> {
	const { store, limits } = parts;
	const presence = await claimHost(directory, auditId);
	opened.defer(() => presence.close());
	const audit = auditId === undefined ? undefined : await openAudit(store, opened);
	const executions = new Executions(store);
	const endLost = (): Promise<readonly string[]> => executions.endLost((hostId) => isHostAlive(directory, hostId));
	// A host that died has left its socket. What lost its socket, too, is found when the directory is tidied.
	const recovered = deadHosts(directory)
		.then((dead) => (dead.length > 0 ? endLost() : []))
		.catch((cause: Error) => {
			process.emitWarning(`Runs of hosts that died could not be ended: ${cause.message}`, "CroniumWarning");
			return [];
		});
	const tidy = async (signal?: AbortSignal): Promise<void> => {
		await recovered;
		if (!(await claimSweep(store))) return;
		await endLost();
		await deadHosts(directory, { remove: true });
		await sweep(store, { now: Date.now(), runRetentionMs: limits.runRetentionMs, ...(signal && { signal }) });
	};
	// What cannot be tidied now (a full disk, say) is tidied by the next one; a process that ends is not kept long by it.
	opened.defer(() => tidy(AbortSignal.timeout(tidyAtEndMs)).catch(() => undefined));
	const tidier = setInterval(() => void tidy().catch(() => undefined), tidyEveryMs).unref();
	opened.defer(() => clearInterval(tidier));
	const served = new ServedRuns(store);
	let traffic: Promise<Traffic> | undefined;
	const loadTraffic = (): Promise<Traffic> => {
		traffic ??= import("./http/traffic.ts").then(({ Traffic }) => new Traffic(limits));
		return traffic;
	};
	let tokens: Promise<ExecutionTokens> | undefined;
	const loadTokens = (): Promise<ExecutionTokens> => {
		tokens ??= Promise.all([import("./tokens/execution-tokens.ts"), import("./tokens/key-ring.ts")]).then(
			([{ ExecutionTokens }, { KeyRing }]) => new ExecutionTokens(new KeyRing(directory), limits, (id) => served.get(id)),
		);
		return tokens;
	};
	const loadAgents = async () => new (await import("../ssh-bridge/agent-registry.ts")).AgentRegistry(store);
	let loading: Promise<ContainerExecutor> | undefined;
	const loadContainers = (): Promise<ContainerExecutor> => {
		loading ??= import("./container-mode.ts").then(({ createContainerExecutor }) => {
			const basis = { dataDirectory: directory, hostId: presence.id, limits, served, loadTraffic, audit };
			return createContainerExecutor({ ...basis, settings: containers });
		});
		return loading;
	};
	opened.defer(async () => (await loading)?.[Symbol.asyncDispose]());
	const sshDoors: SshDoors = {};
	let ssh: Promise<SshMode> | undefined;
	const loadSsh = (): Promise<SshMode> => {
		ssh ??= import("./ssh-mode.ts").then(({ createSshMode }) => {
			const basis = { dataDirectory: directory, hostId: presence.id, limits, served, audit };
			return createSshMode({ ...basis, loadTraffic, loadTokens, doors: sshDoors });
		});
		return ssh;
	};
	opened.defer(async () => (await ssh)?.[Symbol.asyncDispose]());
	const owned = opened.move();
	return new Host({
		...parts,
		id: presence.id,
		served,
		traffic: loadTraffic,
		tokens: loadTokens,
		agents: loadAgents,
		sshDoors,
		ssh: loadSsh,
		containers: loadContainers,
		pythonImage: async () => await (await import("./sandbox/python/image.ts")).ensurePythonImage(pythonImages(directory)),
		containerImages: [...(containers.images ?? []), ...Object.values(languageImages)],
		audit,
		executions,
		recovered,
		close: () => owned.disposeAsync(),
	});
}

/** A chain without a stop at its end belongs to a process that was killed, or lacks its end. */
async function openAudit(store: Store, opened: AsyncDisposableStack): Promise<AuditLog> {
	const audit = new AuditLog(store);
	await audit.record({ action: "host.start", actor: "host" });
	opened.defer(() => audit.record({ action: "host.stop", actor: "host" }).catch(() => undefined));
	opened.use(audit);
	return audit;
}
