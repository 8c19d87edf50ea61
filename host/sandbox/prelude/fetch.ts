import { sandboxOperations } from "../sandbox-operations.ts";
import { encodeBase64 } from "./base64.ts";
import { beginCall, cancelCall, readAnswer } from "./calls.ts";
import { headerPairs } from "./headers.ts";
import { define } from "./primordials.ts";
import { Request, type RequestInit, requestContent } from "./request.ts";
import { type Response, receivedResponse } from "./response.ts";

/**
 * The platform's fetch, for hosts that the run was given. A refusal rejects with a RuntimeError whose code says why (`denied`,
 * `too-large`, `timed-out`, `unavailable`, …).
 */
export function fetch(input: unknown, init?: RequestInit): Promise<Response> {
	return new Promise((resolve, reject) => {
		const request = new Request(input, init);
		const { signal } = request;
		signal.throwIfAborted();
		const content = Reflect.apply(requestContent, request, []);
		const params = [request.url, request.method, headerPairs(request.headers), request.redirect];
		const trace = new Error();
		const callId = beginCall(sandboxOperations.fetch, params, content && encodeBase64(content), (answer) => {
			signal.removeEventListener("abort", abort);
			try {
				resolve(receivedResponse(readAnswer(answer, JSON.parse)));
			} catch (error) {
				define(error as object, "stack", trace.stack);
				reject(error);
			}
		});
		function abort(): void {
			cancelCall(callId);
			reject(signal.reason);
		}
		signal.addEventListener("abort", abort);
	});
}
