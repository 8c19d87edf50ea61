import { setTimeout as wait } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { RuntimeError } from "../../contract/errors.ts";
import { jsonMembers } from "../../contract/json-members.ts";
import type { RunFilter } from "../../executions.ts";
import type { ExternalReport } from "../../executors/external.ts";
import type { RunMode, RunOptions, ScriptSource } from "../../run-options.ts";
import { within } from "../../within.ts";
import { type ControlContext, responses, sendJson } from "./control-context.ts";
import { describeOutcome, describeRun } from "./description.ts";
import { RepeatedRequests } from "./repeated-requests.ts";
import * as schemas from "./schemas.ts";

type RunRequest = Omit<RunOptions, "mode" | "script" | "files" | "input" | "variables" | "signal" | "onLog"> & {
	readonly mode?: RunMode | "external";
	readonly files?: Readonly<Record<string, string | { readonly base64: string }>>;
	readonly script?: ScriptSource | { readonly bundle: string };
};

type RunParameters = { readonly Params: { readonly id: string } };

/** Starts runs, lists them, waits for them, cancels them, and shows their journals. */
export async function runRoutes(server: FastifyInstance, context: ControlContext): Promise<void> {
	const { host } = context;
	const repeated = new RepeatedRequests();
	const about = { tags: ["runs"] };

	server.post<{ Body: RunRequest }>(
		"/runs",
		{
			schema: {
				...about,
				operationId: "startRun",
				summary: "Starts a run. It is durable, and its id good, when this answers.",
				headers: {
					type: "object",
					properties: { "idempotency-key": { type: "string", minLength: 1, maxLength: 255 } },
				},
				body: schemas.runRequest,
				response: responses({ 201: schemas.run }),
			},
		},
		async (request, reply) => {
			const id = await repeated.once(request.headers["idempotency-key"], request.bodyText, async () => {
				const execution = host.createRunId();
				await context.note(request, { action: "start-run", execution, namespace: request.body?.namespace ?? "default" });
				return await startRun(context, execution, request.body, request.bodyText);
			});
			const record = await host.executions.get(id);
			if (!record) throw new RuntimeError("not-found", `The run ${id} was removed.`);
			reply.header("Location", `/control/v1/runs/${id}`);
			return sendJson(reply, describeRun(record), 201);
		},
	);

	server.get<{ Querystring: RunFilter }>(
		"/runs",
		{
			schema: {
				...about,
				operationId: "listRuns",
				summary: "Lists runs, the newest first.",
				querystring: schemas.runQuery,
				response: responses({ 200: schemas.runPage }),
			},
		},
		async (request, reply) => {
			const { records, next } = await host.executions.page(request.query);
			const rest = next === undefined ? "" : `,"next":${JSON.stringify(next)}`;
			return sendJson(reply, `{"runs":[${records.map(describeRun).join(",")}]${rest}}`);
		},
	);

	server.get<RunParameters>(
		"/runs/:id",
		{
			schema: {
				...about,
				operationId: "getRun",
				summary: "Shows a run.",
				params: schemas.runParameters,
				response: responses({ 200: schemas.run }),
			},
		},
		async (request, reply) => sendJson(reply, describeRun(await requireRun(context, request.params.id))),
	);

	server.get<RunParameters & { Querystring: { waitMs: number } }>(
		"/runs/:id/outcome",
		{
			schema: {
				...about,
				operationId: "getOutcome",
				summary: "What became of a run; waits for its end on request. 202 with the run while it has not ended.",
				params: schemas.runParameters,
				querystring: schemas.waitQuery,
				response: responses({ 200: schemas.outcome, 202: schemas.run }),
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			await waitForEnd(context, id, request.query.waitMs);
			const record = await requireRun(context, id);
			if (record.endedAt === undefined) return sendJson(reply, describeRun(record), 202);
			return sendJson(reply, describeOutcome(await host.executions.outcome(id)));
		},
	);

	server.post<RunParameters>(
		"/runs/:id/cancel",
		{
			schema: {
				...about,
				operationId: "cancelRun",
				summary: "Cancels a run, and answers with its outcome. A run that has ended stays as it is.",
				params: schemas.runParameters,
				response: responses({ 200: schemas.outcome }),
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			const record = await requireRun(context, id);
			await context.note(request, { action: "cancel-run", execution: id, namespace: record.namespace });
			const cancelled = host.cancel(id);
			if (!cancelled && record.endedAt === undefined && (await requireRun(context, id)).endedAt === undefined)
				throw new RuntimeError("unavailable", `The run ${id} is under way in another process, which has to cancel it.`);
			return sendJson(reply, describeOutcome(cancelled ? await cancelled : await host.executions.outcome(id)));
		},
	);

	server.post<RunParameters & { Body: ExternalReport }>(
		"/runs/:id/end",
		{
			schema: {
				...about,
				operationId: "endRun",
				summary: "Ends an external run: whoever ran its script says what became of it.",
				params: schemas.runParameters,
				body: schemas.report,
				response: responses({ 200: schemas.outcome }),
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			const record = await requireRun(context, id);
			await context.note(request, { action: "end-run", execution: id, namespace: record.namespace });
			const run = host.external(id);
			if (!run) throw new RuntimeError("cancelled", `The run ${id} is not an external run that is under way here.`);
			const ending = host.underWay(id);
			const output = jsonMembers(request.bodyText)?.get("output");
			const { status, message } = request.body;
			run.end({ status, ...(message !== undefined && { message }), ...(output !== undefined && { output }) });
			return sendJson(reply, describeOutcome((await ending) ?? (await host.executions.outcome(id))));
		},
	);

	server.get<RunParameters & { Querystring: { after: number; limit: number } }>(
		"/runs/:id/journal",
		{
			schema: {
				...about,
				operationId: "getJournal",
				summary: "Every helper call of a run, in order.",
				params: schemas.runParameters,
				querystring: schemas.journalQuery,
				response: responses({ 200: schemas.journal }),
			},
		},
		async (request) => ({ entries: await host.executions.journal(request.params.id, request.query) }),
	);
}

async function startRun({ host }: ControlContext, runId: string, request: RunRequest | undefined, text: string): Promise<string> {
	const { mode, script, files, ...options } = request ?? {};
	// As received: what a JavaScript value cannot hold is not lost.
	const members = jsonMembers(text);
	const input = members?.get("input");
	const variables = members?.get("variables");
	const given = {
		...options,
		...(input !== undefined && { input }),
		...(variables !== undefined && { variables: Object.fromEntries(jsonMembers(variables) ?? []) }),
	};
	if (mode === "external") {
		for (const name of ["engine", "allowedHosts", "image", "host", "reach", "arguments", "files"] as const)
			if (request?.[name] !== undefined) throw new RuntimeError("invalid", `${name} is for runs that this host starts.`);
		if (script !== undefined) throw new RuntimeError("invalid", "An external run has no script here.");
		const run = await host.open(given, runId);
		run.outcome.catch(warnOfLoss);
		return run.id;
	}
	if (script === undefined) throw new RuntimeError("invalid", "script is missing: this host is to start it.");
	const source = "bundle" in script ? await host.bundles.get(script.bundle) : script;
	const started = {
		...given,
		...(mode !== undefined && { mode }),
		...(files !== undefined && { files: readFiles(files) }),
		script: source,
	};
	const { id, outcome } = await host.start(started, runId);
	outcome.catch(warnOfLoss);
	return id;
}

function readFiles(files: NonNullable<RunRequest["files"]>): Record<string, string | Uint8Array> {
	const read = ([path, contents]: [string, string | { readonly base64: string }]): [string, string | Uint8Array] => [
		path,
		typeof contents === "string" ? contents : Buffer.from(contents.base64, "base64"),
	];
	return Object.fromEntries(Object.entries(files).map(read));
}

/** The end of a run that nobody waits for could not be written. */
function warnOfLoss(cause: Error): void {
	process.emitWarning(`The end of a run could not be stored: ${cause.message}`, "CroniumWarning");
}

/** The record of a run. Throws `not-found`. */
export async function requireRun({ host }: ControlContext, id: string) {
	const record = await host.executions.get(id);
	if (!record) throw new RuntimeError("not-found", `There is no run ${JSON.stringify(id)}.`);
	return record;
}

/** Waits for the end of a run, at most so long. */
async function waitForEnd({ host }: ControlContext, id: string, waitMs: number): Promise<void> {
	if (waitMs === 0) return;
	const until = performance.now() + waitMs;
	const underWay = host.underWay(id);
	if (underWay) {
		await within(
			underWay.catch(() => undefined),
			waitMs,
		);
		return;
	}
	// Another process has it.
	while (performance.now() < until) {
		const record = await host.executions.get(id);
		if (!record || record.endedAt !== undefined) return;
		await wait(Math.min(200, until - performance.now()));
	}
}
