import type { FastifyInstance } from "fastify";
import { type OperationId, operationById } from "../../contract/generated/operations.ts";
import { schemas as contractSchemas } from "../../contract/generated/schemas.ts";
import type { OperatorVariables } from "../../helpers/operator.ts";
import { answerWriter } from "../operation-answer.ts";
import { type RequestParts, requestReader } from "../operation-request.ts";
import { type ControlContext, responses } from "./control-context.ts";

/** Operations on variables that an operator has, too. Their routes are those of the contract, below a namespace. */
const operatorOperations = [
	"variables.get-entry",
	"variables.set",
	"variables.delete",
	"variables.list",
	"variables.increment",
] as const;

/** The variables of any namespace, by the same rules as for scripts. */
export async function variableRoutes(server: FastifyInstance, context: ControlContext): Promise<void> {
	const { host } = context;
	for (const id of operatorOperations) {
		const operation = operationById(id);
		const read = requestReader(operation);
		const write = answerWriter(operation);
		const { method, path, status } = operation.http;
		server.route<{ Params: { namespace: string; key?: string } }>({
			method,
			url: `/namespaces/:namespace${path.replace("/v1", "").replace(/\{(\w+)\}/g, ":$1")}`,
			schema: describe(id, status),
			// The body is a text that stands for itself, and the operation's reader checks the rest as at every door.
			validatorCompiler: () => () => true,
			handler: async (request, reply) => {
				const { namespace } = request.params;
				// It says itself who has changed what: in the same transaction.
				const variables = host.variables(namespace, request.operator);
				const body = request.bodyText === "" ? undefined : request.bodyText;
				const { params, query, headers } = request as unknown as RequestParts;
				const given = read({ params, query, headers, body }, host.limits);
				const perform = variables[operation.method as keyof OperatorVariables] as (...given: unknown[]) => Promise<unknown>;
				write(request, reply, await perform(...given));
				return reply;
			},
		});
	}
}

function describe(id: OperationId, status: number) {
	const { http, documentation, sdkName, resultSchema } = operationById(id);
	const places = (where: string) =>
		Object.fromEntries(http.parameters.filter((one) => one.in === where).map((one) => [one.name as string, plain(one.as)]));
	const body = http.parameters.find((one) => one.in === "body");
	const isConditionalRead = http.method === "GET" && http.headers.some(({ as }) => as === "etag");
	return {
		tags: ["variables"],
		operationId: `${sdkName}OfNamespace`,
		summary: documentation.split("\n", 1)[0] as string,
		description: documentation.split("\n\nErrors:", 1)[0] as string,
		params: {
			type: "object",
			properties: { namespace: { type: "string" }, ...places("path") },
			required: ["namespace", ...Object.keys(places("path"))],
		},
		querystring: { type: "object", properties: places("query") },
		headers: {
			type: "object",
			properties: { ...places("header"), ...(isConditionalRead && { "If-None-Match": { type: "string" } }) },
		},
		...(body && { body: { description: body.required ? "The value." : "What to add; 1 when not given." } }),
		response: responses({
			[status]: { description: describeResult(resultSchema) },
			...(isConditionalRead && { 304: { type: "null", description: "The value still has this version." } }),
		}),
	};
}

const plain = (as: string) => ({ type: as === "number" ? "number" : "string" });

function describeResult(name: keyof typeof contractSchemas | undefined): string {
	const schema = name === undefined ? undefined : (contractSchemas[name] as { description?: string; title?: string });
	return schema?.description ?? schema?.title ?? "The answer.";
}
