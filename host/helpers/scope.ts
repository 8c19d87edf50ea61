import { RuntimeError } from "../contract/errors.ts";
import { type Operation, type OperationId, operations } from "../contract/generated/operations.ts";
import type { Execution } from "../execution.ts";

/** Throws `denied` when the run may not call the operation. */
export function requireScope(execution: Execution, operation: Operation): void {
	if (!execution.scopes.includes(operation.scope))
		throw new RuntimeError("denied", `${operation.id} needs the scope ${operation.scope}, which this run does not have.`);
}

/** The row of an operation in the generated table. */
export function operation(id: OperationId): Operation {
	const found = operations.find((candidate) => candidate.id === id);
	if (!found) throw new Error(`The contract has no operation ${id}.`);
	return found;
}
