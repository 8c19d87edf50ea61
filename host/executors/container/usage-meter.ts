import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the processes of a container have used so far. */
export interface ContainerUsage {
	readonly cpuTimeMs: number;
	/** The most that the memory was. */
	readonly memoryBytes: number;
}

const lookEveryMs = 100;
const root = "/sys/fs/cgroup";

/**
 * Looks at the control groups of a container from time to time, as this machine's kernel counts: they are gone when it has ended, so what is known
 * then is a tenth of a second old at most. Of an engine on another machine nothing is known, and everything stays 0.
 */
export class UsageMeter implements Disposable {
	readonly #read: () => ContainerUsage | undefined;
	readonly #timer: NodeJS.Timeout;
	#usage: ContainerUsage = { cpuTimeMs: 0, memoryBytes: 0 };

	/** `onCpuTimeExceeded` is called once when more than `maxCpuTimeMs` has been used. */
	constructor(pid: number, maxCpuTimeMs: number, onCpuTimeExceeded: () => void) {
		this.#read = findReader(pid);
		// What the container has used while it waited for its job is not the run's.
		const before = this.#read()?.cpuTimeMs ?? 0;
		let isOver = false;
		this.#timer = setInterval(() => {
			const now = this.#read();
			if (!now) return;
			this.#usage = { cpuTimeMs: Math.max(0, now.cpuTimeMs - before), memoryBytes: now.memoryBytes };
			if (isOver || this.#usage.cpuTimeMs <= maxCpuTimeMs) return;
			isOver = true;
			onCpuTimeExceeded();
		}, lookEveryMs);
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
			return { cpuTimeMs: Math.round(cpuNs / 1e6), memoryBytes };
		};
	const unified = pathOf("");
	if (unified === undefined) return () => undefined;
	return () => {
		const [, cpuUs] = /^usage_usec (\d+)$/m.exec(readText(join(root, unified, "cpu.stat")) ?? "") ?? [];
		const memoryBytes = readNumber(join(root, unified, "memory.peak")) ?? readNumber(join(root, unified, "memory.current"));
		if (cpuUs === undefined || memoryBytes === undefined) return undefined;
		return { cpuTimeMs: Math.round(Number(cpuUs) / 1e3), memoryBytes };
	};
}

function readNumber(file: string): number | undefined {
	const text = readText(file);
	return text === undefined ? undefined : Number(text);
}

/** Undefined when there is no such file any more, or none that this user may read. */
function readText(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return undefined;
	}
}
