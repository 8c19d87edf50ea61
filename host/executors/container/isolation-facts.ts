import { type ContainerLimits, containerPaths } from "./container-spec.ts";
import { readProbe } from "./isolation-probe.ts";

/** What the judgement of an answer of the probe has to know of the container that gave it. */
export interface ProbedContainer {
	readonly limits: ContainerLimits;
	readonly user: { readonly uid: number; readonly gid: number };
	readonly hostname: string;
	/** Names of variables that the container was given, by the host or by its image. */
	readonly environment: readonly string[];
	readonly isPodman: boolean;
}

/** Why a guarantee is not kept; undefined when it is. */
export type Shortcoming = string | undefined;

/** What was found inside of a container. */
export class IsolationFacts {
	readonly #sections: ReadonlyMap<string, readonly string[]>;
	readonly #container: ProbedContainer;

	constructor(answer: string, container: ProbedContainer) {
		this.#sections = readProbe(answer);
		this.#container = container;
	}

	userNamespace(): Shortcoming {
		const [inside, outside, count] = words(this.#lines("uid_map")[0]);
		if (inside === undefined) return "the map of user ids cannot be read";
		return inside === "0" && outside === "0" && count === "4294967295" ? "user ids inside are those of the machine" : undefined;
	}

	nonRoot(): Shortcoming {
		const { uid, gid } = this.#container.user;
		for (const [name, expected] of [
			["Uid", uid],
			["Gid", gid],
			["Groups", gid],
		] as const) {
			const ids = words(this.#status(name));
			if (uid === 0 || gid === 0 || ids.some((id) => id !== `${expected}`))
				return `${name} is ${ids.join(" ")} and not ${expected} alone`;
		}
		return undefined;
	}

	capabilities(): Shortcoming {
		const sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].filter((name) => !/^0+$/.test(this.#status(name) ?? ""));
		return sets.length > 0 ? `there are capabilities in ${sets.join(", ")}` : undefined;
	}

	noNewPrivileges(): Shortcoming {
		return this.#status("NoNewPrivs") === "1" ? undefined : "programs may gain privileges";
	}

	seccomp(): Shortcoming {
		return this.#status("Seccomp") === "2" ? undefined : "no filter of system calls is in force";
	}

	readOnlyRoot(): Shortcoming {
		const written = this.#lines("written");
		if (written.length > 0) return `${written.join(", ")} could be written`;
		return this.#mount("/")?.options.includes("ro") ? undefined : "the root file system is not mounted read-only";
	}

	/** Every writable place is one that has a limit. */
	writablePlaces(): Shortcoming {
		const { work, temporary } = containerPaths;
		// Message queues are files here, limited by a ulimit.
		const others = this.#lines("writable").filter((path) => ![work, temporary, "/dev/mqueue"].includes(path));
		for (const path of others)
			if (!limitedPlaces.includes(path) || !/\bsize=\d+k\b/.test(this.#mount(path)?.superOptions ?? ""))
				return `${path} is writable without a limit`;
		return undefined;
	}

	kernelInterfaces(): Shortcoming {
		const readable = this.#lines("readable");
		if (readable.length > 0) return `${readable.join(", ")} can be read`;
		const open = ["/sys", "/proc/sys"].find((path) => !this.#mount(path)?.options.includes("ro"));
		return open === undefined ? undefined : `${open} is not mounted read-only`;
	}

	networkNone(): Shortcoming {
		const interfaces = this.#lines("network").flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
		if (!interfaces.includes("lo")) return "the interfaces cannot be read";
		const others = interfaces.filter((name) => name !== "lo" && !dormant.test(name));
		return others.length === 0 ? undefined : `there is the interface ${others.join(", ")}`;
	}

	/** The shell has tried to use four times as much as it may. */
	memoryLimit(): Shortcoming {
		const [tried] = this.#lines("memory");
		if (tried === "0") return "more memory than the limit could be used";
		const { memoryBytes } = this.#container.limits;
		return this.#isLimited(["memory.max", "memory.limit_in_bytes"], memoryBytes, "memory");
	}

	pidsLimit(): Shortcoming {
		return this.#isLimited(["pids.max", "pids/pids.max"], this.#container.limits.maxProcesses, "processes");
	}

	cpuLimit(): Shortcoming {
		const { cpuThousandths } = this.#container.limits;
		const [quota, period] =
			this.#lines("cpu.max").length > 0
				? words(this.#lines("cpu.max")[0])
				: [this.#lines("cpu.cfs_quota_us")[0], this.#lines("cpu.cfs_period_us")[0]];
		if (quota === undefined || period === undefined) return "there is no cgroup with a limit of processor time";
		const found = Math.round((Number(quota) / Number(period)) * 1000);
		return found === cpuThousandths ? undefined : `processor time is ${quota} of ${period} µs, not ${cpuThousandths} thousandths`;
	}

	openFilesLimit(): Shortcoming {
		return this.#ulimit("Max open files", this.#container.limits.maxOpenFiles);
	}

	coreAndQueueLimits(): Shortcoming {
		return this.#ulimit("Max core file size", 0) ?? this.#ulimit("Max msgqueue size", 0);
	}

	tmpfsBytes(): Shortcoming {
		return this.#triedTmpfs("blocks", ({ bytes }) => bytes / 4096);
	}

	tmpfsInodes(): Shortcoming {
		const { isPodman } = this.#container;
		const shortcoming = this.#triedTmpfs("files", ({ inodes }) => inodes);
		// Podman has no such limit. What inodes take counts as the container's memory, which is limited.
		return shortcoming !== undefined && isPodman && this.#triedTmpfs("files", () => Number.POSITIVE_INFINITY) === undefined
			? this.memoryLimit() && `${shortcoming}, and memory is not limited`
			: shortcoming;
	}

	init(): Shortcoming {
		const [shell] = this.#lines("shell");
		return shell !== undefined && shell !== "1" && this.#status("PPid") === "1"
			? undefined
			: "the script's process is the first one";
	}

	/** Neither the name of the machine nor variables of the engine's environment. */
	hostFacts(): Shortcoming {
		const [hostname] = this.#lines("hostname");
		if (hostname !== this.#container.hostname) return `the host name is ${JSON.stringify(hostname)}`;
		const known = new Set([...ordinaryVariables, ...this.#container.environment]);
		const names = this.#lines("environment").flatMap((line) => /^(?:export|declare -x) ([\w]+)/.exec(line)?.[1] ?? []);
		const strange = names.filter((name) => !known.has(name));
		return strange.length === 0 ? undefined : `the environment has ${strange.join(", ")}`;
	}

	#isLimited(names: readonly string[], expected: number, what: string): Shortcoming {
		const found = names.map((name) => this.#lines(name)[0]).find((line) => line !== undefined);
		if (found === undefined) return `there is no cgroup with a limit of ${what}`;
		return Number(found) === expected ? undefined : `the limit of ${what} is ${found}, not ${expected}`;
	}

	#ulimit(name: string, expected: number): Shortcoming {
		const line = this.#lines("limits").find((one) => one.startsWith(name));
		const [soft, hard] = words(line?.slice(name.length));
		return soft === `${expected}` && hard === `${expected}` ? undefined : `${name} is ${soft} (${hard}), not ${expected}`;
	}

	#triedTmpfs(kind: "blocks" | "files", limit: (limits: ContainerLimits["work"]) => number): Shortcoming {
		const { work, temporary } = this.#container.limits;
		for (const [path, limits] of [
			[containerPaths.work, work],
			[containerPaths.temporary, temporary],
		] as const) {
			const tried = Number(this.#lines(`${kind} ${path}`)[0] ?? 0);
			if (tried === 0) return `${path} cannot be written; in the image it has to be a directory of mode 1777`;
			if (tried > limit(limits)) return `${path} took ${tried} ${kind}, with a limit of ${limit(limits)}`;
		}
		return undefined;
	}

	#lines(section: string): readonly string[] {
		return this.#sections.get(section) ?? [];
	}

	#status(name: string): string | undefined {
		const line = this.#lines("status").find((one) => one.startsWith(`${name}:`));
		return line?.slice(name.length + 1).trim();
	}

	/** The one that is in force: the last of those at the path. */
	#mount(path: string): { readonly options: readonly string[]; readonly superOptions: string } | undefined {
		const fields = this.#lines("mountinfo")
			.map(words)
			.findLast((one) => one[4] === path);
		return fields && { options: fields[5]?.split(",") ?? [], superOptions: fields.at(-1) ?? "" };
	}
}

/** Besides the two that runs are given. */
const limitedPlaces: readonly string[] = ["/dev/shm", "/var/tmp", "/run"];

/** Interfaces that kernels make in every network namespace, without an address and down. */
const dormant = /^(tunl|gre|gretap|erspan|ip_vti|ip6_vti|sit|ip6tnl|ip6gre)\d+$/;

/** Set by engines and shells. */
const ordinaryVariables = ["PATH", "HOSTNAME", "HOME", "TERM", "container", "PWD", "OLDPWD", "SHLVL", "_"];

const words = (line: string | undefined): string[] =>
	line
		?.trim()
		.split(/\s+/)
		.filter((word) => word !== "") ?? [];
