import type { LogLine, Outcome } from "../../execution.ts";
import type { ExecutionRecord } from "../../executions.ts";

// How runs are written in the answers of the control API: times as RFC 3339, and JSON texts as received, never parsed.

const time = (at: number): string => new Date(at).toISOString();

/** The JSON text of a run's record. */
export function describeRun(record: ExecutionRecord): string {
	const { hostId: _host, startedAt, deadlineAt, createdAt, endedAt, status, ...rest } = record;
	return JSON.stringify({
		...rest,
		status,
		createdAt: time(createdAt),
		...(status !== "created" && { startedAt: time(startedAt), deadlineAt: time(deadlineAt) }),
		...(endedAt !== undefined && { endedAt: time(endedAt) }),
	});
}

/** The JSON text of a log line. */
export function describeLine({ fields, ...line }: LogLine): string {
	return splice(line, "fields", fields);
}

/** The JSON text of an outcome. */
export function describeOutcome({ output: _output, outputText, logs, ...rest }: Outcome): string {
	const text = splice(rest, "output", outputText);
	return `${text.slice(0, -1)},"logs":[${logs.map(describeLine).join(",")}]}`;
}

/** An object as JSON, with one more member that is a JSON text already. */
function splice(object: object, name: string, text: string | undefined): string {
	const rest = JSON.stringify(object);
	return text === undefined ? rest : `${rest.slice(0, -1)},"${name}":${text}}`;
}
