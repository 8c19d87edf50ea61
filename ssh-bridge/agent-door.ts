import { RuntimeError } from "../host/contract/errors.ts";
import { excerpt } from "../host/contract/excerpt.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import type { AgentRun, OpenReport } from "../sidecar/agent-messages.ts";
import { spareBodyBytes } from "../sidecar/sidecar-server.ts";

/** A socket path has at most 100 bytes; a longer one would be cut silently by whoever connects. */
const socketPath = /^\/[\x21-\x7e]{1,99}$/;
const maxProblemCharacters = 300;

/** The socket of one run, which an agent has on its host. */
export class AgentDoor {
	readonly run: ServedRun;
	readonly agentId: string;
	readonly #reported = Promise.withResolvers<string>();

	constructor(run: ServedRun, agentId: string) {
		this.run = run;
		this.agentId = agentId;
		this.#reported.promise.catch(() => undefined);
	}

	/** What the agent is told. */
	get description(): AgentRun {
		const { id, deadlineAt, limits } = this.run.execution;
		return {
			id,
			remainingMs: Math.max(0, deadlineAt - Date.now()),
			limits: {
				maxBodyBytes: Math.max(limits.maxValueBytes, limits.maxOutputBytes) + spareBodyBytes,
				maxPendingBytes: limits.maxPendingBytes,
				maxRunConnections: limits.maxRunConnections,
			},
		};
	}

	/** Takes what the agent says. Only the first time counts: the script knows no other socket. Throws `invalid`. */
	report(report: OpenReport): void {
		if ("problem" in report) {
			const problem = excerpt(report.problem, maxProblemCharacters);
			this.#reported.reject(
				new RuntimeError("unavailable", `The agent of the host cannot open a socket for the run: ${problem}.`),
			);
			return;
		}
		if (!socketPath.test(report.socketPath))
			throw new RuntimeError("invalid", "The path of a socket must be absolute, without spaces, and have at most 100 bytes.");
		this.#reported.resolve(report.socketPath);
	}

	/** The path of the socket, when it is there. Rejects with `unavailable` or `cancelled`. */
	async opened(timeoutMs: number): Promise<string> {
		const late = setTimeout(() => {
			const message = `The agent of the host has not opened a socket for the run within ${timeoutMs / 1_000} s.`;
			this.#reported.reject(new RuntimeError("unavailable", message));
		}, timeoutMs);
		const onEnd = (): void => this.#reported.reject(new RuntimeError("cancelled", "The run has ended."));
		const { ended } = this.run;
		ended.addEventListener("abort", onEnd, { once: true });
		if (ended.aborted) onEnd();
		try {
			return await this.#reported.promise;
		} finally {
			clearTimeout(late);
			ended.removeEventListener("abort", onEnd);
		}
	}
}
