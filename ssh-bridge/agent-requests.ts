import type { FastifyInstance, FastifyRequest } from "fastify";
import { RuntimeError } from "../host/contract/errors.ts";
import { readBody } from "../host/http/request-body.ts";

/** Of what agents say for themselves; it holds a certification request at most. */
const bodyLimit = { name: "agentRequestBytes", value: 16 * 1024, unit: "bytes" } as const;

/** Leaves the bodies of a server's requests to `readMembers`. */
export function leaveBodies(server: FastifyInstance): void {
	server.addContentTypeParser("application/json", (_request: FastifyRequest, _payload: unknown, done: (error: null) => void) =>
		done(null),
	);
}

/** The body of a request: a JSON object whose members are texts, with those that are needed. Throws `invalid` or `too-large`. */
export async function readMembers<Needed extends string, Other extends string = never>(
	{ raw }: FastifyRequest,
	needed: readonly Needed[],
): Promise<Readonly<Record<Needed, string>> & Readonly<Partial<Record<Other, string>>>> {
	let members: unknown;
	try {
		members = JSON.parse(await readBody(raw, bodyLimit, "text"));
	} catch (error) {
		if (error instanceof RuntimeError) throw error;
		throw new RuntimeError("invalid", "The body is not JSON.");
	}
	const isRight =
		typeof members === "object" &&
		members !== null &&
		Object.values(members).every((value) => typeof value === "string") &&
		needed.every((name) => Object.hasOwn(members, name));
	if (isRight) return members as Record<Needed | Other, string>;
	const named = needed.length > 0 ? ` with ${needed.join(" and ")}` : "";
	throw new RuntimeError("invalid", `The body must be an object of texts${named}.`);
}
