import type { JournalEntry } from "../../../host/index.ts";
import type { RunningServer } from "../../../host/serve.ts";
import type { Answer } from "./answer-check.ts";
import { HttpClient } from "./http-client.ts";
import type { CredentialKind, RandomRequest, Reference } from "./random-request.ts";

/** A run that requests are made with, and what is known of them. */
interface CampaignRun {
	readonly id: string;
	readonly token: string;
	/** Requests that came with its token. */
	calls: number;
	/** Effects that were acknowledged, by operation. */
	readonly acknowledged: Map<string, number>;
}

type RunKind = Exclude<CredentialKind, "none" | "other-server" | "forged">;

/** What the runs that requests are made with may do; the one of the kind `ended` is ended before the first request. */
const kinds: Readonly<Record<RunKind, { readonly run: object; readonly token: object }>> = {
	good: { run: {}, token: {} },
	narrow: { run: {}, token: { scopes: ["variables:read", "log:write"] } },
	slow: { run: { limits: { maxWallTimeMs: 600_000, maxCallsPerSecond: 2 } }, token: {} },
	ended: { run: {}, token: {} },
	"other-door": { run: {}, token: { audience: "sidecar" } },
	bound: { run: {}, token: { certificateThumbprint: "A".repeat(43) } },
};

/** The runs of a round, made over the control API like those of any orchestrator. */
export class CampaignRuns {
	readonly #client: HttpClient;
	readonly #operator: string;
	readonly #planted: string;
	#runs = new Map<RunKind, CampaignRun>();
	/** What requests to the control API may cancel, end and revoke. */
	#victims: string[] = [];
	#turn = 0;
	#known: Record<Exclude<Reference["reference"], "run">, string> = {
		"ended-run": "none",
		"token-id": "none",
		bundle: "none",
		version: '"none"',
		cursor: "none",
	};

	constructor({ controlUrl }: RunningServer, operator: string, planted: string) {
		this.#client = new HttpClient(controlUrl);
		this.#operator = operator;
		this.#planted = planted;
	}

	/** Puts something into another namespace that no run of the campaign may ever see. */
	async plant(): Promise<void> {
		for (const key of ["a", "b", "n", "a%2Fb", "planted"])
			await this.#control("PUT", `/control/v1/namespaces/planted/variables/${key}`, JSON.stringify(this.#planted));
		await this.#control(
			"POST",
			"/control/v1/runs",
			JSON.stringify({ mode: "external", namespace: "planted", input: this.#planted }),
		);
	}

	async begin(): Promise<void> {
		this.#runs = new Map();
		for (const [kind, { run, token }] of Object.entries(kinds) as [RunKind, (typeof kinds)[RunKind]][]) {
			const id = await this.#open(run);
			const minted = JSON.parse(await this.#control("POST", `/control/v1/runs/${id}/tokens`, JSON.stringify(token))) as {
				token: string;
			};
			this.#runs.set(kind, { id, token: minted.token, calls: 0, acknowledged: new Map() });
		}
		const ended = this.#of("ended").id;
		await this.#control("POST", `/control/v1/runs/${ended}/end`, '{"status":"succeeded"}');
		const victim = await this.#open({});
		this.#victims = [victim];
		const { id } = JSON.parse(await this.#control("POST", `/control/v1/runs/${victim}/tokens`, "{}")) as { id: string };
		this.#known = { ...this.#known, "ended-run": ended, "token-id": id };
	}

	/** What goes into the Authorization header, and whose token it is. */
	credential(
		server: "runtime" | "control",
		kind: CredentialKind,
	): { readonly authorization?: string; readonly run?: CampaignRun } {
		const operator = { authorization: `Bearer ${this.#operator}` };
		const { token } = this.#of("good");
		if (kind === "none") return {};
		if (kind === "forged") return { authorization: `Bearer ${token.slice(0, -6)}AAAAAA` };
		if (server === "control") return ["good", "narrow", "slow"].includes(kind) ? operator : { authorization: `Bearer ${token}` };
		if (kind === "other-server") return operator;
		const run = this.#of(kind);
		return { authorization: `Bearer ${run.token}`, run };
	}

	resolve({ reference }: Reference): string {
		if (reference === "run") return this.#victims[this.#turn++ % this.#victims.length] as string;
		return this.#known[reference];
	}

	/** Takes from an answer what later requests can refer to, and what the journal has to have. */
	learn(
		server: "runtime" | "control",
		{ operation, isRouted, method }: RandomRequest,
		{ status, headers, text }: Answer,
		run: CampaignRun | undefined,
	): void {
		if (run) run.calls += 1;
		if (status >= 300) return;
		if (typeof headers.etag === "string") this.#known.version = headers.etag;
		if (isRouted) this.#remember(operation.id, text);
		if (server === "runtime" && run && isRouted && method !== "GET")
			run.acknowledged.set(operation.id, (run.acknowledged.get(operation.id) ?? 0) + 1);
	}

	#remember(operation: string, text: string): void {
		const field = (name: string): string => (JSON.parse(text) as Record<string, string>)[name] ?? "none";
		if (operation === "listVariables") this.#known.cursor = field("cursor");
		if (operation === "uploadBundle") this.#known.bundle = field("id");
		if (operation === "startRun") this.#victims = [field("id"), ...this.#victims].slice(0, 4);
		if (operation === "mintToken") this.#known["token-id"] = field("id");
	}

	/** Ends the runs, and compares their journals with what was acknowledged. */
	async end(): Promise<{ readonly entries: number; readonly problems: readonly string[] }> {
		const problems: string[] = [];
		let total = 0;
		for (const [kind, run] of this.#runs) {
			if (kind !== "ended") await this.#control("POST", `/control/v1/runs/${run.id}/end`, '{"status":"succeeded"}');
			const { entries } = JSON.parse(await this.#control("GET", `/control/v1/runs/${run.id}/journal?limit=10000`)) as {
				entries: JournalEntry[];
			};
			total += entries.length;
			problems.push(...journalProblems(run, entries).map((problem) => `the journal of the run ${kind}: ${problem}`));
		}
		return { entries: total, problems };
	}

	close(): void {
		this.#client.close();
	}

	#of(kind: RunKind): CampaignRun {
		return this.#runs.get(kind) as CampaignRun;
	}

	async #open(options: object): Promise<string> {
		const run = { mode: "external", namespace: "fuzz", input: [1], limits: { maxWallTimeMs: 600_000 }, ...options };
		return (JSON.parse(await this.#control("POST", "/control/v1/runs", JSON.stringify(run))) as { id: string }).id;
	}

	#headers(): Record<string, string> {
		return { authorization: `Bearer ${this.#operator}` };
	}

	async #control(method: string, path: string, body?: string): Promise<string> {
		const headers = { ...this.#headers(), ...(body !== undefined && { "content-type": "application/json" }) };
		const { status, text } = await this.#client.send(method, path, headers, body);
		if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
		return text;
	}
}

function journalProblems({ calls, acknowledged }: CampaignRun, entries: readonly JournalEntry[]): string[] {
	const problems: string[] = [];
	if (entries.some(({ sequence }, index) => sequence !== index + 1)) problems.push("it has a gap");
	if (entries.length > calls) problems.push(`it has ${entries.length} entries; ${calls} requests were made`);
	if (new Set(entries.map(({ callId }) => callId)).size !== entries.length) problems.push("two entries are of one call");
	for (const [id, count] of acknowledged) {
		const [, own] = [...operationOf].find(([name]) => name === id) ?? [];
		if (own === undefined) continue;
		const kept = entries.filter(({ operation, error }) => operation === own && !error).length;
		if (kept < count) problems.push(`it has ${kept} of ${count} acknowledged calls of ${own}`);
	}
	return problems;
}

/** The operation in the journal, by its id in the document. */
const operationOf: ReadonlyMap<string, string> = new Map([
	["setOutput", "io.set-output"],
	["setVariable", "variables.set"],
	["deleteVariable", "variables.delete"],
	["incrementVariable", "variables.increment"],
	["setCondition", "condition.set"],
	["writeLog", "log.write"],
]);
