import { sandboxOperations } from "../sandbox-operations.ts";
import { callNow, nothing } from "./calls.ts";
import { describeAsText } from "./describe.ts";

/** Ends the run as failed: nobody is left who could catch `error`, as in the callback of a timer. */
export function fail(error: unknown): void {
	callNow(sandboxOperations.fail, '["script-error"]', describeAsText(error), nothing);
}
