import { RuntimeError } from "../contract/errors.ts";

/** What every call on a store gets after its `close`. */
export function closedStore(): RuntimeError {
	return new RuntimeError("unavailable", "The store is closed.");
}
