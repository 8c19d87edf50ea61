import { once } from "node:events";
import type { Duplex, Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { attachedStreams, type ContainerStreams } from "./attached-streams.ts";
import { engineAddresses, readEngineAddress, usualSockets } from "./engine-address.ts";
import { type EngineAnswer, EngineConnection } from "./engine-connection.ts";
import { EngineError } from "./engine-error.ts";
import { buildImage, type ImageBuild, importImage } from "./engine-images.ts";
import { hasKilled, type MemoryKills, memoryKills } from "./memory-kills.ts";
import { startPodmanService } from "./podman-service.ts";

export type { ContainerOutput, ContainerStreams } from "./attached-streams.ts";

/** A container engine: Docker, or Podman by Docker's API. */
export interface ContainerEngine extends AsyncDisposable {
	readonly kind: "docker" | "podman";
	readonly address: string;
	readonly version: string;
	readonly apiVersion: string;
	info(): Promise<EngineInfo>;
	/** Makes a container and returns its id. Throws EngineError `image-missing` when there is no such image. */
	createContainer(name: string, body: object): Promise<string>;
	/** The streams of a container that was made or runs. To lose no byte, attach before starting. */
	attach(id: string): Promise<ContainerStreams>;
	startContainer(id: string): Promise<void>;
	/**
	 * Resolves with the exit code. Rejects with the signal's reason when it aborts first. With Podman it is
	 * quick where the container's output is attached and read.
	 */
	waitForExit(id: string, signal?: AbortSignal): Promise<number>;
	inspectContainer(id: string): Promise<ContainerState | undefined>;
	/** Sends a signal to the container's first process; one that has ended or is gone is fine. */
	killContainer(id: string, signal: string): Promise<void>;
	/** Removes a container, running or not, with its anonymous volumes; one that is gone is fine. */
	removeContainer(id: string): Promise<void>;
	/** Every container, running or not, that has all of these labels with these values. */
	listContainers(labels: Readonly<Record<string, string>>): Promise<readonly ListedContainer[]>;
	inspectImage(reference: string): Promise<ImageInfo | undefined>;
	/** Makes an image of a root file system and returns its id. `changes` are lines of a Dockerfile: ENV, CMD, LABEL and so on. */
	importImage(tar: Readable, reference: string, options?: { readonly changes?: readonly string[] }): Promise<string>;
	/** Makes an image by a Dockerfile and returns its id. */
	buildImage(context: Readable, build: ImageBuild): Promise<string>;
	/** Images that have this label, with this value if one is given: `name` or `name=value`. */
	listImages(label: string): Promise<readonly ImageInfo[]>;
	/** One that is gone is fine. */
	removeImage(reference: string): Promise<void>;
}

/** What an engine says about itself and its machine. */
export interface EngineInfo {
	/** Stays the same for as long as the engine has its data. */
	readonly id: string;
	readonly cgroupVersion: 1 | 2;
	readonly isRootless: boolean;
	/** As Docker writes them: `name=seccomp,profile=default`, `name=userns`. */
	readonly securityOptions: readonly string[];
	/** Whether every container gets a user namespace by the engine's own configuration. */
	readonly hasUserNamespaces: boolean;
	readonly runtime: string;
	/** Where its program is, and which one it is, as far as the engine says so. */
	readonly runtimePath: string | undefined;
	readonly runtimeVersion: string | undefined;
	readonly kernel: string;
	readonly operatingSystem: string;
	readonly architecture: string;
	readonly processors: number;
	readonly memoryBytes: number;
	readonly warnings: readonly string[];
}

export interface ContainerState {
	readonly id: string;
	/** Of the first process, as the engine's machine sees it; 0 when it does not run. */
	readonly pid: number;
	readonly isRunning: boolean;
	readonly exitCode: number;
	/** Of Podman's containers it is known once their exit has been waited for. */
	readonly isOutOfMemory: boolean;
	readonly startedAt: string;
	readonly labels: Readonly<Record<string, string>>;
}

export interface ListedContainer {
	readonly id: string;
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly isRunning: boolean;
}

export interface ImageInfo {
	readonly id: string;
	readonly references: readonly string[];
	readonly labels: Readonly<Record<string, string>>;
	/** Of its VOLUME lines. */
	readonly volumes: readonly string[];
	readonly environment: readonly string[];
	readonly bytes: number;
	readonly createdAt: string;
}

/** What is needed of an engine: Docker 20.10, or Podman 4.3 with its Docker API. */
export const minEngineVersions = { api: "1.41", podman: "4.3" } as const;

/**
 * Connects to the engine that was named, or to the first usual one that answers; without one to Podman, where it is installed, which then listens for
 * as long as it is wanted, unless it may not be started. Throws EngineError `engine-missing` when there is none, `engine-unreachable` when none answers, `engine-too-old` when it
 * does and is.
 */
export async function findEngine(setting?: string, { mayStart = true } = {}): Promise<ContainerEngine> {
	const { addresses, isNamed } = engineAddresses(setting);
	const failures: EngineError[] = [];
	for (const address of addresses) {
		try {
			return await connectEngine(address);
		} catch (cause) {
			if (!(cause instanceof EngineError) || isNamed) throw cause;
			failures.push(cause);
		}
	}
	const [first] = failures;
	if (first) throw failures.length === 1 ? first : new EngineError(first.code, failures.map(({ message }) => message).join(" "));
	const service = mayStart ? await startPodmanService() : undefined;
	if (service) return await connectEngine(service.address, service);
	throw new EngineError(
		"engine-missing",
		`There is no container engine: no socket at ${usualSockets().join(", ")}. Install and start Docker or Podman, or name one with CRONIUM_CONTAINER_ENGINE or DOCKER_HOST.`,
	);
}

/** Connects to the engine at this address. `service` ends with the connection. */
export async function connectEngine(address: string, service?: AsyncDisposable): Promise<ContainerEngine> {
	const connection = new EngineConnection(address, readEngineAddress(address));
	try {
		return new Engine(connection, await requireVersion(connection), service);
	} catch (cause) {
		connection.close();
		await service?.[Symbol.asyncDispose]();
		throw cause;
	}
}

type EngineVersion = Pick<ContainerEngine, "kind" | "version" | "apiVersion">;

async function requireVersion(connection: EngineConnection): Promise<EngineVersion> {
	const what = "ask for the version";
	const { kind, version, apiVersion, oldest } = await askVersion(connection, what);
	const { api, podman } = minEngineVersions;
	if (!isAtLeast(apiVersion, api) || (kind === "podman" && !isAtLeast(version, podman)))
		throw connection.error(
			"engine-too-old",
			what,
			`${kind} ${JSON.stringify(version)} with API ${JSON.stringify(apiVersion)} is too old: it takes Docker 20.10 (API ${api}) or Podman ${podman}`,
		);
	// The oldest version of the API that has all that is asked; newer engines refuse it, and then it is their oldest.
	connection.prefix = `/v${isAtLeast(oldest, api) ? oldest : api}`;
	return { kind, version, apiVersion };
}

/** Podman says its versions in the headers of a ping; asked for them, it starts three programs first, which takes it half a second. */
async function askVersion(connection: EngineConnection, what: string): Promise<EngineVersion & { readonly oldest: string }> {
	const request = { method: "GET", timeoutMs: 10_000, what } as const;
	const stranger = (): EngineError =>
		connection.error("engine-unreachable", what, "something else than a container engine answers there");
	const { status, headers } = await connection.send({ ...request, path: "/_ping" });
	if (status === 404) throw stranger();
	const { "libpod-api-version": podman, "api-version": podmanApi } = headers;
	if (typeof podman === "string") return { kind: "podman", version: podman, apiVersion: String(podmanApi), oldest: "" };
	const answer = await connection.askJson<{
		readonly Version?: unknown;
		readonly ApiVersion?: unknown;
		readonly MinAPIVersion?: unknown;
	} | null>({ ...request, path: "/version" });
	const { Version: version, ApiVersion: apiVersion, MinAPIVersion: oldest = "" } = answer ?? {};
	if (typeof version !== "string" || typeof apiVersion !== "string" || typeof oldest !== "string") throw stranger();
	return { kind: "docker", version, apiVersion, oldest };
}

function isAtLeast(version: string, required: string): boolean {
	const [major = 0, minor = 0] = version.split(".").map(Number);
	const [requiredMajor = 0, requiredMinor = 0] = required.split(".").map(Number);
	return major > requiredMajor || (major === requiredMajor && minor >= requiredMinor);
}

class Engine implements ContainerEngine {
	readonly kind: ContainerEngine["kind"];
	readonly address: string;
	readonly version: string;
	readonly apiVersion: string;
	readonly #connection: EngineConnection;
	/** Connections to the streams of containers that have not ended, as far as this end of them knows. */
	readonly #attached = new Map<string, Duplex>();
	/** Containers of Podman that were seen to run out of memory: with version 1 of cgroups and a new kernel it does not learn of that itself. */
	readonly #outOfMemory = new Set<string>();
	readonly #service: AsyncDisposable | undefined;

	constructor(connection: EngineConnection, { kind, version, apiVersion }: EngineVersion, service: AsyncDisposable | undefined) {
		this.#service = service;
		this.kind = kind;
		this.address = connection.address;
		this.version = version;
		this.apiVersion = apiVersion;
		this.#connection = connection;
	}

	async info(): Promise<EngineInfo> {
		const info = await this.#connection.askJson<EngineInfoAnswer>({ method: "GET", path: "/info", what: "ask about the engine" });
		const securityOptions = info.SecurityOptions ?? [];
		const isRootless = info.Rootless ?? securityOptions.includes("name=rootless");
		return {
			// Podman makes up another one for every answer.
			id: this.kind === "podman" ? `podman:${info.DockerRootDir}` : info.ID,
			cgroupVersion: info.CgroupVersion === "2" ? 2 : 1,
			isRootless,
			securityOptions,
			hasUserNamespaces: isRootless || securityOptions.includes("name=userns"),
			runtime: info.DefaultRuntime,
			runtimePath: info.Runtimes?.[info.DefaultRuntime]?.path,
			runtimeVersion: info.RuncCommit?.ID,
			kernel: info.KernelVersion,
			operatingSystem: info.OperatingSystem,
			architecture: info.Architecture,
			processors: info.NCPU,
			memoryBytes: info.MemTotal,
			warnings: info.Warnings ?? [],
		};
	}

	async createContainer(name: string, body: object): Promise<string> {
		const query = { name };
		const what = `create container ${name}`;
		const request = { method: "POST", path: "/containers/create", query, body, what } as const;
		return (await this.#connection.askJson<{ readonly Id: string }>(request)).Id;
	}

	async attach(id: string): Promise<ContainerStreams> {
		const query = { stream: "1", stdin: "1", stdout: "1", stderr: "1" };
		const what = `attach to ${nameContainer(id)}`;
		const { connection, head } = await this.#connection.hijack({ method: "POST", path: `/containers/${id}/attach`, query, what });
		this.#attached.set(id, connection);
		connection.once("close", () => this.#attached.delete(id));
		return attachedStreams(connection, head, `${this.address}: ${what}`);
	}

	async startContainer(id: string): Promise<void> {
		await this.#connection.ask({ method: "POST", path: `/containers/${id}/start`, what: `start ${nameContainer(id)}` });
	}

	async waitForExit(id: string, signal?: AbortSignal): Promise<number> {
		const what = `wait for ${nameContainer(id)}`;
		if (this.kind === "podman") return await this.#watchForExit(id, what, signal);
		const request = { method: "POST", path: `/containers/${id}/wait`, timeoutMs: Number.POSITIVE_INFINITY, what } as const;
		return (await this.#connection.askJson<{ readonly StatusCode: number }>({ ...request, ...(signal && { signal }) }))
			.StatusCode;
	}

	async inspectContainer(id: string): Promise<ContainerState | undefined> {
		const what = `inspect ${nameContainer(id)}`;
		const answer = await this.#found<ContainerAnswer>(`/containers/${id}/json`, what);
		if (!answer) return undefined;
		return {
			id: answer.Id,
			pid: answer.State.Pid,
			isRunning: answer.State.Running,
			exitCode: answer.State.ExitCode,
			isOutOfMemory: answer.State.OOMKilled || this.#outOfMemory.has(id),
			startedAt: answer.State.StartedAt,
			labels: answer.Config.Labels ?? {},
		};
	}

	async killContainer(id: string, signal: string): Promise<void> {
		const what = `send ${signal} to ${nameContainer(id)}`;
		const answer = await this.#connection.send({ method: "POST", path: `/containers/${id}/kill`, query: { signal }, what });
		// Podman says 500 or 409 when there is nothing left to kill, Docker 409.
		if (answer.status < 400 || answer.status === 404 || answer.status === 409) return;
		if ((await this.inspectContainer(id))?.isRunning) throw this.#connection.refusal(what, answer.status, answer.body);
	}

	async removeContainer(id: string): Promise<void> {
		this.#outOfMemory.delete(id);
		const what = `remove ${nameContainer(id)}`;
		let answer: EngineAnswer;
		for (let attempt = 1; ; attempt += 1) {
			answer = await this.#connection.send({ method: "DELETE", path: `/containers/${id}`, query: { force: "1", v: "1" }, what });
			if (answer.status < 400 || answer.status === 404) return;
			// 409: somebody else removes it. Podman's 500 is a mount that is still in use, for a moment.
			if (attempt === removeAttempts) throw this.#connection.refusal(what, answer.status, answer.body);
			await setTimeout(removePauseMs * attempt);
		}
	}

	async listContainers(labels: Readonly<Record<string, string>>): Promise<readonly ListedContainer[]> {
		const filters = JSON.stringify({ label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) });
		const query = { all: "1", filters };
		const list = await this.#connection.askJson<
			readonly { Id: string; Names?: string[]; Labels: Record<string, string> | null; State: string }[]
		>({ method: "GET", path: "/containers/json", query, what: "list containers" });
		return list.map(({ Id, Names, Labels, State }) => ({
			id: Id,
			name: (Names?.[0] ?? "").replace(/^\//, ""),
			labels: Labels ?? {},
			isRunning: State === "running",
		}));
	}

	async inspectImage(reference: string): Promise<ImageInfo | undefined> {
		const what = `inspect image ${reference}`;
		const answer = await this.#found<ImageAnswer>(`/images/${encodePath(reference)}/json`, what);
		if (!answer) return undefined;
		return {
			id: answer.Id,
			references: answer.RepoTags ?? [],
			labels: answer.Config?.Labels ?? {},
			volumes: Object.keys(answer.Config?.Volumes ?? {}),
			environment: answer.Config?.Env ?? [],
			bytes: answer.Size,
			createdAt: answer.Created,
		};
	}

	async importImage(tar: Readable, reference: string, { changes = [] }: { changes?: readonly string[] } = {}): Promise<string> {
		await importImage(this.#connection, tar, this.kind, reference, changes);
		return this.#requireImage(reference);
	}

	async buildImage(context: Readable, build: ImageBuild): Promise<string> {
		await buildImage(this.#connection, context, build);
		return this.#requireImage(build.reference);
	}

	async listImages(label: string): Promise<readonly ImageInfo[]> {
		const query = { filters: JSON.stringify({ label: [label] }) };
		const request = { method: "GET", path: "/images/json", query, what: "list images" } as const;
		const list = await this.#connection.askJson<readonly { Id: string }[]>(request);
		const images = await Promise.all(list.map(({ Id }) => this.inspectImage(Id)));
		return images.filter((image) => image !== undefined);
	}

	async removeImage(reference: string): Promise<void> {
		const what = `remove image ${reference}`;
		const path = `/images/${encodePath(reference)}`;
		const answer = await this.#connection.send({ method: "DELETE", path, query: { force: "1" }, what });
		if (answer.status >= 400 && answer.status !== 404) throw this.#connection.refusal(what, answer.status, answer.body);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#connection.close();
		await this.#service?.[Symbol.asyncDispose]();
	}

	/**
	 * Podman's own wait answers only when it has cleaned up, up to half a second later; its inspection knows at once. The end of an attached stream
	 * tells when to look; without it, the looks become fewer.
	 */
	async #watchForExit(id: string, what: string, signal: AbortSignal | undefined): Promise<number> {
		let kills: MemoryKills | undefined;
		for (let pauseMs = minPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, maxPauseMs)) {
			signal?.throwIfAborted();
			const state = await this.inspectContainer(id);
			if (!state) throw this.#connection.error("container-missing", what, "there is no such container");
			kills ??= memoryKills(state.pid);
			if (!state.isRunning) {
				if (kills && hasKilled(kills)) this.#outOfMemory.add(id);
				return state.exitCode;
			}
			const attached = this.#attached.get(id);
			if (attached) {
				await closed(attached, attachedPauseMs, signal);
				pauseMs = minPauseMs;
			} else await setTimeout(pauseMs, undefined, signal && { signal }).catch(() => {});
		}
	}

	async #found<Answer>(path: string, what: string): Promise<Answer | undefined> {
		const { status, body } = await this.#connection.send({ method: "GET", path, what });
		if (status === 404) return undefined;
		if (status >= 400) throw this.#connection.refusal(what, status, body);
		return JSON.parse(body.toString()) as Answer;
	}

	async #requireImage(reference: string): Promise<string> {
		const image = await this.inspectImage(reference);
		if (image) return image.id;
		throw this.#connection.error("engine-error", `make image ${reference}`, "the engine said that it has, and there is none");
	}
}

/** Between two looks at a container. */
const minPauseMs = 5;
const maxPauseMs = 200;
/** While its streams are open, a container runs, unless it has closed them itself or nobody reads what it has written. */
const attachedPauseMs = 1_000;

/** Resolves when the connection has been closed, when the time is over, or when the signal aborts. */
async function closed(connection: Duplex, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
	const enough = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
	await once(connection, "close", { signal: enough }).catch(() => {});
}
const removeAttempts = 8;
const removePauseMs = 50;

const nameContainer = (id: string): string => `container ${id.slice(0, 12)}`;

/** References keep their slashes: engines take them as parts of the path. */
const encodePath = (reference: string): string => reference.split("/").map(encodeURIComponent).join("/");

interface EngineInfoAnswer {
	readonly ID: string;
	readonly CgroupVersion?: string;
	readonly Rootless?: boolean;
	readonly SecurityOptions?: readonly string[] | null;
	readonly DockerRootDir: string;
	readonly DefaultRuntime: string;
	readonly Runtimes?: Readonly<Record<string, { readonly path?: string }>>;
	readonly RuncCommit?: { readonly ID?: string };
	readonly KernelVersion: string;
	readonly OperatingSystem: string;
	readonly Architecture: string;
	readonly NCPU: number;
	readonly MemTotal: number;
	readonly Warnings?: readonly string[] | null;
}

interface ContainerAnswer {
	readonly Id: string;
	readonly State: {
		readonly Pid: number;
		readonly Running: boolean;
		readonly ExitCode: number;
		readonly OOMKilled: boolean;
		readonly StartedAt: string;
	};
	readonly Config: { readonly Labels: Readonly<Record<string, string>> | null };
}

interface ImageAnswer {
	readonly Id: string;
	readonly RepoTags?: readonly string[] | null;
	readonly Size: number;
	readonly Created: string;
	readonly Config?: {
		readonly Labels?: Readonly<Record<string, string>> | null;
		readonly Volumes?: Readonly<Record<string, object>> | null;
		readonly Env?: readonly string[] | null;
	};
}
