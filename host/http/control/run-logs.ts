import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";
import { type ControlContext, responses, sendJson } from "./control-context.ts";
import { describeLine } from "./description.ts";
import { requireRun } from "./runs.ts";
import * as schemas from "./schemas.ts";

/** A comment goes out so often while there are no lines: proxies close what is silent. */
const keepAliveMs = 15_000;

/** The logs of runs: at once, or live as server-sent events. */
export async function runLogRoutes(server: FastifyInstance, context: ControlContext): Promise<void> {
	const { host } = context;
	server.get<{ Params: { id: string }; Querystring: { after: number } }>(
		"/runs/:id/logs",
		{
			schema: {
				tags: ["runs"],
				operationId: "getLogs",
				summary: "The log of a run.",
				description:
					"With `Accept: text/event-stream` the lines come as they are written, each as an event `log` whose id is its sequence, until the event `end` with the run's status. `Last-Event-ID` goes on behind that line.",
				params: schemas.runParameters,
				querystring: schemas.logQuery,
				response: responses({
					200: {
						description: "The lines that there are, or the stream.",
						content: {
							"application/json": { schema: schemas.logPage },
							"text/event-stream": { schema: { type: "string" } },
						},
					},
				}),
			},
		},
		async (request, reply) => {
			const { id } = request.params;
			await requireRun(context, id);
			const after = lastEvent(request.headers["last-event-id"]) ?? request.query.after;
			if (!request.headers.accept?.includes("text/event-stream")) {
				const lines = (await host.executions.logs(id)).filter(({ sequence }) => sequence > after);
				return sendJson(reply, `{"lines":[${lines.map(describeLine).join(",")}]}`);
			}
			const gone = new AbortController();
			reply.raw.once("close", () => gone.abort());
			if (reply.raw.closed) gone.abort();
			// A stream that is not read is not filled: a slow client costs no memory.
			const events = Readable.from(logEvents(context, id, after, gone.signal), { objectMode: false, highWaterMark: 64 * 1024 });
			return reply.header("Content-Type", "text/event-stream; charset=utf-8").header("X-Accel-Buffering", "no").send(events);
		},
	);
}

function lastEvent(header: string | string[] | undefined): number | undefined {
	if (header === undefined) return undefined;
	if (/^[0-9]{1,15}$/.test(String(header))) return Number(header);
	throw new RuntimeError("invalid", `Last-Event-ID is ${excerpt(String(header))}; it must be the sequence of a line.`);
}

/** The events of a run's log. A JSON text has no line ends, so every event is one line of data. */
async function* logEvents({ host }: ControlContext, id: string, after: number, signal: AbortSignal): AsyncGenerator<string> {
	yield ": following\n\n";
	const lines = host.executions.follow(id, after, signal)[Symbol.asyncIterator]();
	let next = lines.next();
	for (;;) {
		const result = await withinKeepAlive(next);
		if (signal.aborted) return;
		if (result === undefined) {
			yield ": waiting\n\n";
			continue;
		}
		if (result.done) break;
		yield `id: ${result.value.sequence}\nevent: log\ndata: ${describeLine(result.value)}\n\n`;
		next = lines.next();
	}
	await host.underWay(id)?.catch(() => undefined);
	const { status } = (await host.executions.get(id)) ?? { status: "lost" };
	yield `event: end\ndata: ${JSON.stringify({ status })}\n\n`;
}

/** Resolves as the promise does, or with nothing when that takes long. Nothing of it is left then: a log has many lines. */
async function withinKeepAlive<Value>(promise: Promise<Value>): Promise<Value | undefined> {
	const silence = Promise.withResolvers<undefined>();
	const timer = setTimeout(silence.resolve, keepAliveMs, undefined).unref();
	try {
		return await Promise.race([promise, silence.promise]);
	} finally {
		clearTimeout(timer);
	}
}
