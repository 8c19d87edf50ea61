import { setTimeout as wait } from "node:timers/promises";
import { RuntimeError } from "../contract/errors.ts";
import { jsonMembers } from "../contract/json-members.ts";
import type { LogLine, Outcome } from "../execution.ts";
import type { RunOptions } from "../run-options.ts";
import { findServing } from "../serving.ts";
import { ControlClient } from "./control-client.ts";
import { RawJson, stringify } from "./json-print.ts";

export interface ServedRunWatch {
	/** Called for every log line as it comes. */
	readonly onLog: (line: LogLine) => void;
	/** Cancels the run when it aborts. */
	readonly signal: AbortSignal;
}

const reconnectMs = 250;
const maxWaitMs = 60_000;

/**
 * Runs a script in the process that serves the data directory, which has the connections, doors and agents that the run needs. Undefined when no process
 * serves it. Throws RuntimeError as the host there does, `unavailable` when it does not answer, and `denied` when its operator's credential cannot be read.
 */
export async function runAtServer(
	dataDirectory: string,
	request: Omit<RunOptions, "signal" | "onLog">,
	{ onLog, signal }: ServedRunWatch,
): Promise<Outcome | undefined> {
	const serving = await findServing(dataDirectory);
	if (!serving) return undefined;
	const control = new ControlClient(serving, dataDirectory);
	const started = await control.call("POST", "/runs", describeRequest(request));
	const { id } = JSON.parse(started.text) as { readonly id: string };
	const cancel = (): void => void control.call("POST", `/runs/${id}/cancel`).catch(() => undefined);
	signal.addEventListener("abort", cancel, { once: true });
	if (signal.aborted) cancel();
	try {
		const logs = await follow(control, id, onLog);
		for (;;) {
			const { status, text } = await control.call("GET", `/runs/${id}/outcome?waitMs=${maxWaitMs}`);
			if (status === 200) return readOutcome(text, logs);
		}
	} finally {
		signal.removeEventListener("abort", cancel);
	}
}

/** The log of a run to its end, also when the connection is cut meanwhile. */
async function follow(control: ControlClient, id: string, onLog: (line: LogLine) => void): Promise<readonly LogLine[]> {
	const lines: LogLine[] = [];
	for (;;) {
		try {
			for await (const { event, data } of control.events(`/runs/${id}/logs`, lines.at(-1)?.sequence)) {
				if (event === "end") return lines;
				const line = readLine(data);
				lines.push(line);
				onLog(line);
			}
		} catch (error) {
			if (error instanceof RuntimeError && error.code !== "unavailable") throw error;
		}
		await control.requireAlive(`the run ${id} was under way; see cronium executions show ${id}`);
		await wait(reconnectMs);
	}
}

/** As the control API takes it: JSON texts as they are, bytes in base64. */
function describeRequest({ input, variables, files, ...rest }: Omit<RunOptions, "signal" | "onLog">): string {
	const raw = (members: Readonly<Record<string, string>>): Record<string, RawJson> =>
		Object.fromEntries(Object.entries(members).map(([name, text]) => [name, new RawJson(text)]));
	const contents = ([path, file]: readonly [string, string | Uint8Array]): [string, unknown] => [
		path,
		typeof file === "string" ? file : { base64: Buffer.from(file).toString("base64") },
	];
	return stringify({
		...rest,
		...(input !== undefined && { input: new RawJson(input) }),
		...(variables && { variables: raw(variables) }),
		...(files && { files: Object.fromEntries(Object.entries(files).map(contents)) }),
	});
}

function readLine(text: string): LogLine {
	const { fields: _fields, ...line } = JSON.parse(text) as LogLine & { readonly fields?: unknown };
	const fields = jsonMembers(text)?.get("fields");
	return { ...line, ...(fields !== undefined && { fields }) };
}

function readOutcome(text: string, logs: readonly LogLine[]): Outcome {
	const outputText = jsonMembers(text)?.get("output");
	return { ...(JSON.parse(text) as Outcome), logs, ...(outputText !== undefined && { outputText }) };
}
