import { join } from "node:path";
import { controlGroup } from "./control-groups.ts";
import { readIfThere } from "./engine-files.ts";

/** What the processes of a container have used so far. */
export interface ContainerUsage {
	readonly cpuTimeMs: number;
	/** The most that the memory was. */
	readonly memoryBytes: number;
}

const lookEveryMs = 100;

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
	const memory = controlGroup(pid, "memory");
	const cpu = controlGroup(pid, "cpuacct");
	if (memory !== undefined && cpu !== undefined)
		return () => {
			const cpuNs = readNumber(join(cpu, "cpuacct.usage"));
			const memoryBytes = readNumber(join(memory, "memory.max_usage_in_bytes"));
			if (cpuNs === undefined || memoryBytes === undefined) return undefined;
			return { cpuTimeMs: Math.round(cpuNs / 1e6), memoryBytes };
		};
	const unified = controlGroup(pid, "");
	if (unified === undefined) return () => undefined;
	return () => {
		const [, cpuUs] = /^usage_usec (\d+)$/m.exec(readIfThere(join(unified, "cpu.stat")) ?? "") ?? [];
		const memoryBytes = readNumber(join(unified, "memory.peak")) ?? readNumber(join(unified, "memory.current"));
		if (cpuUs === undefined || memoryBytes === undefined) return undefined;
		return { cpuTimeMs: Math.round(Number(cpuUs) / 1e3), memoryBytes };
	};
}

function readNumber(file: string): number | undefined {
	const text = readIfThere(file);
	return text === undefined ? undefined : Number(text);
}
