import type { ContainerEngine, ImageInfo } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";

/** What one container may use. */
export interface ContainerLimits {
	/** Memory of all its processes, and what they write to tmpfs. There is no swap beyond it. */
	readonly memoryBytes: number;
	/** Thousandths of a processor: 1000 is one. */
	readonly cpuThousandths: number;
	readonly maxProcesses: number;
	readonly maxOpenFiles: number;
	readonly temporary: TmpfsLimits;
	readonly work: TmpfsLimits;
}

export interface TmpfsLimits {
	readonly bytes: number;
	/** Files and directories. Podman cannot limit them: there the memory that they take counts as the container's. */
	readonly inodes: number;
}

/** `auto`: Podman gives every container ids of its own. `keep-id`: rootless Podman. `engine`: as the engine is configured. */
export type UserNamespace = "auto" | "keep-id" | "engine";

export interface ContainerOptions {
	readonly image: string;
	/** Inside the container. */
	readonly user: { readonly uid: number; readonly gid: number };
	/** Directories of the engine's machine, mounted read-only; nothing else of it is. */
	readonly door?: string;
	readonly script?: string;
	readonly command: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	readonly limits: ContainerLimits;
	/** `none`, or a network that the operator has allowed. */
	readonly network: string;
	readonly userNamespace: UserNamespace;
	/** The two of `engineFiles`, for this engine. */
	readonly seccomp: string;
	readonly hosts?: string;
}

/** Where a container finds what it is given. */
export const containerPaths = { door: "/run/cronium", script: "/script", work: "/work", temporary: "/tmp" } as const;

/** The body that makes a container with nothing but its limits, its script and its door. */
export function containerSpec(engine: Pick<ContainerEngine, "kind">, options: ContainerOptions): object {
	const { user, limits, network } = options;
	const isPodman = engine.kind === "podman";
	return {
		Image: options.image,
		// The image's own entry point and health check would run besides the script.
		Entrypoint: [],
		Cmd: options.command,
		Healthcheck: { Test: ["NONE"] },
		User: `${user.uid}:${user.gid}`,
		WorkingDir: containerPaths.work,
		// Otherwise a part of the container's id, or the machine's own.
		Hostname: "run",
		Domainname: "",
		Env: Object.entries({ HOME: containerPaths.work, TMPDIR: containerPaths.temporary, ...options.environment }).map(
			([name, value]) => `${name}=${value}`,
		),
		Labels: options.labels,
		OpenStdin: true,
		StdinOnce: true,
		AttachStdin: true,
		AttachStdout: true,
		AttachStderr: true,
		Tty: false,
		NetworkDisabled: network === "none",
		HostConfig: {
			NetworkMode: network,
			// Otherwise name servers and search domains of the machine stand in /etc/resolv.conf.
			...(network === "none" && { Dns: ["127.0.0.1"], DnsSearch: ["."], DnsOptions: [] }),
			IpcMode: "private",
			PidMode: "",
			CgroupnsMode: "private",
			...usernsMode(options),
			Init: true,
			Privileged: false,
			ReadonlyRootfs: true,
			CapDrop: ["ALL"],
			CapAdd: [],
			SecurityOpt: ["no-new-privileges", `seccomp=${options.seccomp}`],
			Mounts: [
				...(options.door === undefined ? [] : [bind(options.door, containerPaths.door)]),
				...(options.script === undefined ? [] : [bind(options.script, containerPaths.script)]),
				...(options.hosts === undefined ? [] : [bind(options.hosts, "/etc/hosts")]),
			],
			Tmpfs: {
				[containerPaths.temporary]: tmpfs(isPodman, "noexec", limits.temporary, user),
				[containerPaths.work]: tmpfs(isPodman, "exec", limits.work, user),
				// Otherwise Podman adds these two without a limit; runs may write to neither, or to little.
				...(isPodman && { "/run": "rw,nosuid,nodev,noexec,size=65536,mode=0755", "/var/tmp": tmpfs(isPodman, "noexec", small) }),
				// Podman makes it by ShmSize, and refuses a second one.
				...(!isPodman && { "/dev/shm": tmpfs(isPodman, "noexec", small) }),
			},
			ShmSize: small.bytes,
			Memory: limits.memoryBytes,
			// Memory and swap together: no swap.
			MemorySwap: limits.memoryBytes,
			NanoCpus: limits.cpuThousandths * 1_000_000,
			PidsLimit: limits.maxProcesses,
			// When the machine has no memory left, scripts go before the host.
			OomScoreAdj: 500,
			Ulimits: ulimits(limits),
			// The log is the run's own, with its limits; an engine's would fill its disk.
			LogConfig: { Type: "none", Config: {} },
			RestartPolicy: { Name: "no" },
			AutoRemove: false,
			Binds: [],
			Devices: [],
		},
	};
}

/** Throws EngineError for an image that no run may have. */
export function requireUsableImage(image: ImageInfo, reference: string): void {
	if (image.volumes.length === 0) return;
	throw new EngineError(
		"engine-error",
		`Image ${reference} has the volume ${image.volumes.join(", ")}: a place to write without a limit. Build it without VOLUME.`,
	);
}

/** Places that programs expect to be there. */
const small: TmpfsLimits = { bytes: 1024 * 1024, inodes: 64 };

function tmpfs(isPodman: boolean, exec: "exec" | "noexec", limits: TmpfsLimits, owner?: ContainerOptions["user"]): string {
	const options = `rw,nosuid,nodev,${exec},size=${limits.bytes}`;
	// Podman knows none of nr_inodes, uid and gid.
	if (isPodman) return `${options},mode=1777`;
	const mode = owner ? `uid=${owner.uid},gid=${owner.gid},mode=0700` : "mode=1777";
	return `${options},nr_inodes=${limits.inodes},${mode}`;
}

const bind = (source: string, target: string): object => ({
	Type: "bind",
	Source: source,
	Target: target,
	ReadOnly: true,
	BindOptions: { Propagation: "rprivate" },
});

function usernsMode({ userNamespace, user }: ContainerOptions): { readonly UsernsMode?: string } {
	if (userNamespace === "engine") return {};
	if (userNamespace === "keep-id") return { UsernsMode: "keep-id" };
	// Large enough for the user, and no larger: all containers share the ids that the machine has for them.
	return { UsernsMode: `auto:size=${Math.max(1024, 2 ** Math.ceil(Math.log2(Math.max(user.uid, user.gid) + 1)))}` };
}

const ulimits = ({ maxOpenFiles }: ContainerLimits): readonly object[] =>
	Object.entries({
		nofile: maxOpenFiles,
		// Counted over all containers of one user id, where `PidsLimit` counts one container: it is the limit where an engine keeps no other.
		nproc: 16_384,
		core: 0,
		// Bytes in POSIX message queues: /dev/mqueue would be one more place to write.
		msgqueue: 0,
		memlock: 64 * 1024,
		rtprio: 0,
		sigpending: 4_096,
	}).map(([Name, value]) => ({ Name, Soft: value, Hard: value }));
