// A guest with the JavaScript SDK: its module is the first argument. One message a line: an environment, or a call.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { StepResult } from "../conformance-case.ts";
import { type GuestCall, toLine } from "../guest-step.ts";
import { enter } from "./environment.ts";
import { describeError, perform, performAll } from "./perform.ts";

const { createClient } = await import(pathToFileURL(process.argv[2] as string).href);
let client: { close(): void } | undefined;
/** Why there is no client: what every call is answered then. */
let refusal: StepResult | undefined;
for await (const line of createInterface({ input: process.stdin })) {
	const message = JSON.parse(line) as { readonly environment: Record<string, string> } | GuestCall;
	if ("environment" in message) {
		client?.close();
		enter(message.environment);
		refusal = undefined;
		try {
			client = createClient();
		} catch (error) {
			refusal = describeError(error);
		}
		process.stdout.write("{}\n");
	} else {
		const done = refusal ?? (await (message.lanes === undefined ? perform : performAll)(client as never, message));
		process.stdout.write(toLine(done));
	}
}
client?.close();
