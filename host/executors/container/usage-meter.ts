import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the processes of a container have used so far. */
export interface ContainerUsage {
	readonly cpuTimeMs: number;
	/** The most that the memory was. */
	readonly memoryBytes: number;
	/** Processes that the kernel has killed for want of memory. */
	readonly memoryKills: number;
}

const lookEveryMs = 250;
const root = "/sys/fs/cgroup";

/**
 * Looks at the control groups of a container from time to time, as this machine's kernel counts: they are gone soon after it has ended, so what is known
 * then is a quarter of a second old at most. Podman's monitor (conmon 2.1 with control groups of version 1) misses that a process was killed for want of memory: the count is kept here. Of an engine on another machine nothing is known, and everything stays 0.
 */
export class UsageMeter implements Disposable {
	readonly #read: () => ContainerUsage | undefined;
	readonly #timer: NodeJS.Timeout;
	readonly #cpuTimeBeforeMs: number;
	#usage: ContainerUsage = { cpuTimeMs: 0, memoryBytes: 0, memoryKills: 0 };

	/** `onCpuTimeExceeded` is called once when more than `maxCpuTimeMs` has been used. */
	constructor(pid: number, maxCpuTimeMs: number, onCpuTimeExceeded: () => void) {
		this.#read = findReader(pid);
		// What the container has used while it waited for its job is not the run's.
		this.#cpuTimeBeforeMs = this.#read()?.cpuTimeMs ?? 0;
		let isOver = false;
		this.#timer = setInterval(() => {
			this.look();
			if (isOver || this.#usage.cpuTimeMs <= maxCpuTimeMs) return;
			isOver = true;
			onCpuTimeExceeded();
		}, lookEveryMs);
	}

	/** Looks now, if there is still something to see. */
	look(): void {
		const now = this.#read();
		if (now) this.#usage = { ...now, cpuTimeMs: Math.max(0, now.cpuTimeMs - this.#cpuTimeBeforeMs) };
	}

	get usage(): ContainerUsage {
		return this.#usage;
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer);
	}
}

/** By the version of control groups that the process is in. */
function findReader(pid: number): () => ContainerUsage | undefined {
	const groups = readText(`/proc/${pid}/cgroup`)
		?.trim()
		.split("\n")
		.map((line) => line.split(":"));
	if (pid <= 0 || !groups) return () => undefined;
	const pathOf = (controller: string): string | undefined => {
		const group = groups.find(([, names = ""]) => (controller === "" ? names === "" : names.split(",").includes(controller)));
		return group?.slice(2).join(":");
	};
	const memory = pathOf("memory");
	const cpu = pathOf("cpuacct");
	if (memory !== undefined && cpu !== undefined)
		return () => {
			const cpuNs = readNumber(join(root, "cpuacct", cpu, "cpuacct.usage"));
			const memoryBytes = readNumber(join(root, "memory", memory, "memory.max_usage_in_bytes"));
			if (cpuNs === undefined || memoryBytes === undefined) return undefined;
			const memoryKills = readCount(join(root, "memory", memory, "memory.oom_control"), "oom_kill");
			return { cpuTimeMs: Math.round(cpuNs / 1e6), memoryBytes, memoryKills };
		};
	const unified = pathOf("");
	if (unified === undefined) return () => undefined;
	return () => {
		const cpuUs = readCount(join(root, unified, "cpu.stat"), "usage_usec");
		const memoryBytes = readNumber(join(root, unified, "memory.peak")) ?? readNumber(join(root, unified, "memory.current"));
		if (memoryBytes === undefined) return undefined;
		return {
			cpuTimeMs: Math.round(cpuUs / 1e3),
			memoryBytes,
			memoryKills: readCount(join(root, unified, "memory.events"), "oom_kill"),
		};
	};
}

function readNumber(file: string): number | undefined {
	const text = readText(file);
	return text === undefined ? undefined : Number(text);
}

/** A number of a file of names and numbers. */
const readCount = (file: string, name: string): number =>
	Number(new RegExp(`^${name} (\\d+)$`, "m").exec(readText(file) ?? "")?.[1] ?? 0);

/** Undefined when there is no such file any more, or none that this user may read. */
function readText(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return undefined;
	}
}
