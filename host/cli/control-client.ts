import { readFileSync } from "node:fs";
import { type IncomingMessage, request as requestInClear } from "node:http";
import { type RequestOptions, request as requestOverTls } from "node:https";
import { text as readText } from "node:stream/consumers";
import { RuntimeError } from "../contract/errors.ts";
import { type ErrorCode, errorCodes, type Limit } from "../contract/generated/types.ts";
import type { Serving } from "../serving.ts";
import { isHostAlive } from "../store/hosts.ts";

interface ServerSentEvent {
	readonly event: string;
	readonly data: string;
}

type TargetOptions = RequestOptions & { allowPartialTrustChain?: boolean };

/** The control API as one of its clients reaches it: that of the process that serves a data directory, with the operator's credential. */
export class ControlClient {
	readonly #serving: Serving;
	readonly #dataDirectory: string;
	readonly #credential: string;

	constructor(serving: Serving, dataDirectory: string) {
		this.#serving = serving;
		this.#dataDirectory = dataDirectory;
		if (serving.asksForCertificates)
			throw new RuntimeError(
				"unsupported",
				`Process ${serving.pid} serves ${dataDirectory} and asks for client certificates (--tls-client-ca); start the run by its control API, ${serving.control}.`,
			);
		try {
			this.#credential = readFileSync(serving.operatorTokenFile, "utf8").trim();
		} catch (cause) {
			throw new RuntimeError(
				"denied",
				`Process ${serving.pid} serves ${dataDirectory}, and its operator's credential ${serving.operatorTokenFile} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`,
			);
		}
	}

	async call(method: string, path: string, body?: string): Promise<{ readonly status: number; readonly text: string }> {
		const answer = await this.#send(method, path, {}, body);
		return { status: answer.statusCode as number, text: await readText(answer).catch((cause: Error) => this.#fail(cause)) };
	}

	/** What the server sends, until it ends the stream. */
	async *events(path: string, lastId: number | undefined): AsyncGenerator<ServerSentEvent> {
		const last = lastId === undefined ? {} : { "last-event-id": `${lastId}` };
		const answer = await this.#send("GET", path, { accept: "text/event-stream", ...last });
		let rest = "";
		try {
			for await (const chunk of answer.setEncoding("utf8")) {
				const events = `${rest}${chunk}`.split("\n\n");
				rest = events.pop() as string;
				for (const event of events) {
					const [, name] = /^event: (.*)$/m.exec(event) ?? [];
					const [, data] = /^data: (.*)$/m.exec(event) ?? [];
					if (name !== undefined && data !== undefined) yield { event: name, data };
				}
			}
		} finally {
			answer.destroy();
		}
	}

	/** Throws `unavailable` when the process has ended. It lives while it finishes what is under way, though it serves nobody else. */
	async requireAlive(what: string): Promise<void> {
		if (await isHostAlive(this.#dataDirectory, this.#serving.host)) return;
		throw new RuntimeError(
			"unavailable",
			`Process ${this.#serving.pid}, which served ${this.#dataDirectory}, has ended while ${what}.`,
		);
	}

	async #send(method: string, path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<IncomingMessage> {
		const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
		const { send, options } = targetOf(this.#serving);
		send({
			...options,
			agent: false,
			method,
			path: `/control/v1${path}`,
			headers: {
				authorization: `Bearer ${this.#credential}`,
				...(body !== undefined && { "content-type": "application/json", "content-length": `${Buffer.byteLength(body)}` }),
				...headers,
			},
		})
			.once("response", resolve)
			.once("error", reject)
			.end(body);
		const answer = await promise.catch((cause: Error) => this.#fail(cause));
		if ((answer.statusCode as number) < 400) return answer;
		throw readProblem(await readText(answer).catch((cause: Error) => this.#fail(cause)), answer.statusCode as number);
	}

	#fail(cause: Error): never {
		const { pid, control } = this.#serving;
		const reason = (cause as NodeJS.ErrnoException).code ?? cause.message;
		throw new RuntimeError(
			"unavailable",
			`Process ${pid} serves ${this.#dataDirectory}, and does not answer by ${control}: ${reason}.`,
			{},
			{ cause },
		);
	}
}

function targetOf({ control, trust }: Serving): { readonly send: typeof requestInClear; readonly options: TargetOptions } {
	const url = control.startsWith("unix:") ? undefined : new URL(control);
	const where: TargetOptions = url
		? { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: url.port }
		: { socketPath: control.slice("unix:".length) };
	if (!trust) return { send: requestInClear, options: where };
	// A certificate of the host's own has one name that never changes. The operator's has names of other places: it has to be this very one.
	const trusted: TargetOptions =
		"authority" in trust
			? { ca: trust.authority, servername: "localhost" }
			: {
					ca: trust.certificate,
					allowPartialTrustChain: true,
					checkServerIdentity: (_name, { raw }) =>
						isSameCertificate(raw, trust.certificate) ? undefined : new Error("it shows another certificate"),
				};
	return { send: requestOverTls as typeof requestInClear, options: { ...where, ...trusted, minVersion: "TLSv1.3" } };
}

const isSameCertificate = (raw: Buffer, pem: string): boolean =>
	raw.equals(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64"));

function readProblem(text: string, status: number): RuntimeError {
	try {
		const { code, detail, limit } = JSON.parse(text) as { code: ErrorCode; detail: string; limit?: Limit };
		if (errorCodes.includes(code)) return new RuntimeError(code, detail, limit === undefined ? {} : { limit });
	} catch {
		// What is in between has answered.
	}
	return new RuntimeError("internal", `The control API answered with status ${status}.`);
}
