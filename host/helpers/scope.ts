import { RuntimeError } from "../contract/errors.ts";
import { type Operation, type OperationId, operations } from "../contract/generated/operations.ts";
import type { CallContext } from "../contract/generated/types.ts";
import type { Execution } from "../execution.ts";

/** Throws `denied` when the run may not call the operation, or the credential that the call came with is for less. */
export function requireScope({ scopes, mode }: Execution, { id, scope }: Operation, call?: CallContext): void {
	if (!scopes.includes(scope))
		throw new RuntimeError(
			"denied",
			`${id} needs the scope ${scope}, which this run does not have.${mode === "ssh" ? ` ${sshAdvice}` : ""}`,
		);
	if (call?.scopes && !call.scopes.includes(scope))
		throw new RuntimeError("denied", `${id} needs the scope ${scope}, which this token does not have.`);
}

/** Runs on SSH hosts have the least rights unless somebody says more. */
const sshAdvice =
	"On an SSH host its scopes in hosts.toml, --scope of the run, or an agent of the host that was invited with it allow it.";

/** The row of an operation in the generated table. */
export function operation(id: OperationId): Operation {
	const found = operations.find((candidate) => candidate.id === id);
	if (!found) throw new Error(`The contract has no operation ${id}.`);
	return found;
}
