import { Agent, request } from "node:http";
import type { Answer } from "./answer-check.ts";

/** Sends requests as they are over connections that are kept, and reads their answers. A connection that breaks rejects. */
export class HttpClient {
	readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
	readonly #host: string;
	readonly #port: string;

	constructor(url: string) {
		({ hostname: this.#host, port: this.#port } = new URL(url));
	}

	send(
		method: string,
		path: string,
		headers: Readonly<Record<string, string>>,
		body: string | Uint8Array | undefined,
	): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const call = request({
				host: this.#host,
				port: this.#port,
				agent: this.#agent,
				method,
				path,
				// Without a length Node sends no body in chunks, which is another thing than none.
				headers: {
					...headers,
					...((body !== undefined || method.startsWith("P")) && { "content-length": Buffer.byteLength(body ?? "") }),
				},
			});
			call.once("error", reject);
			call.once("response", (response) => {
				const { statusCode: status = 0, headers: answered } = response;
				// It goes on as long as the run does.
				if (answered["content-type"]?.startsWith("text/event-stream")) {
					resolve({ status, headers: answered, text: "" });
					response.on("error", () => undefined).destroy();
					return;
				}
				let text = "";
				response.setEncoding("utf8").on("data", (chunk: string) => {
					text += chunk;
				});
				response.once("error", reject).once("end", () => resolve({ status, headers: answered, text }));
			});
			call.end(body);
		});
	}

	close(): void {
		this.#agent.destroy();
	}
}
