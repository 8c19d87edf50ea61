import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { httpStatus } from "../../host/contract/errors.ts";
import { operations } from "../../host/contract/generated/operations.ts";
import { errorCodes } from "../../host/contract/generated/types.ts";

type Node = { readonly [member: string]: Node };

const document = JSON.parse(readFileSync(join(import.meta.dirname, "../../guest-sdks/openapi.json"), "utf8")) as Node;
const routes = operations.filter(({ http }) => http.servedBy === undefined);
const routeOf = (method: string, path: string) => document.paths?.[path]?.[method.toLowerCase()];

/** Follows a reference inside the document. */
function follow(node: Node | undefined): Node {
	const reference = node?.$ref as unknown;
	if (typeof reference !== "string") return node ?? {};
	const steps = reference
		.slice(2)
		.split("/")
		.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
	return follow(steps.reduce<Node | undefined>((at, step) => at?.[step], document));
}

/** Schemas of the document by themselves, compiled strictly: an unknown keyword or a dangling reference throws. */
function createValidator() {
	const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false });
	formats.default(ajv);
	const local = (schema: unknown) => JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "")) as object;
	for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) ajv.addSchema(local(schema), name);
	return (schema: unknown, value: unknown) => {
		const valid = ajv.validate(local(schema), value);
		return valid ? [] : (ajv.errors ?? []);
	};
}

/** Everything in the document that has a schema and examples of it. */
function exampled(node: unknown, path: string): { path: string; schema: unknown; value: unknown }[] {
	if (typeof node !== "object" || node === null) return [];
	const { schema, example, examples } = node as Record<string, unknown>;
	const named = typeof examples === "object" && examples !== null && !Array.isArray(examples) ? Object.entries(examples) : [];
	const own = schema
		? [
				...("example" in node ? [{ path, schema, value: example }] : []),
				...named.map(([name, one]) => ({ path: `${path}/${name}`, schema, value: (one as { value: unknown }).value })),
			]
		: [];
	const inSchema = Array.isArray(examples) ? examples.map((value) => ({ path, schema: node, value: value as unknown })) : [];
	const inside = Object.entries(node).flatMap(([name, member]) =>
		name === "example" || name === "examples" ? [] : exampled(member, `${path}/${name}`),
	);
	return [...own, ...inSchema, ...inside];
}

describe("guest-sdks/openapi.json", () => {
	it("is valid OpenAPI 3.1", async () => {
		const validator = new Validator();
		expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
		expect(validator.version).toBe("3.1");
		const { info, ...incomplete } = document;
		expect(await validator.validate(incomplete)).toMatchObject({ valid: false });
	});

	it("has every example valid against its own schema", () => {
		const validate = createValidator();
		const all = exampled(document, "");
		for (const { path, schema, value } of all) expect(validate(schema, value), `${path} ${JSON.stringify(value)}`).toEqual([]);
		// A walk that finds nothing would prove nothing.
		expect(all.length).toBeGreaterThan(60);
		expect(validate({ $ref: "#/components/schemas/Key" }, ".")).not.toEqual([]);
	});

	it("has an example of every body and every parameter", () => {
		for (const { http } of routes) {
			const route = routeOf(http.method, http.path);
			for (const one of Object.values(route?.parameters ?? {})) expect(follow(one)).toHaveProperty("example");
			const bodies = [route?.requestBody, ...Object.values(route?.responses ?? {})].flatMap((one) =>
				Object.values(follow(one).content ?? {}),
			);
			for (const body of bodies) expect(Object.keys(body.examples ?? {})).not.toEqual([]);
		}
	});

	it("has every operation once, under the name that it has in the SDKs, and nothing else but the token", () => {
		const { "/v1/token": token, ...paths } = document.paths ?? {};
		expect(Object.keys(token ?? {})).toEqual(["post"]);
		const found = Object.entries(paths).flatMap(([path, methods]) =>
			Object.entries(methods).map(([method, route]) => ({ method: method.toUpperCase(), path, route })),
		);
		expect(found.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
			routes.map(({ http }) => `${http.method} ${http.path}`).sort(),
		);
		expect(found.flatMap(({ route }) => Object.values(route["x-cronium-operations"] ?? {}) as unknown[]).sort()).toEqual(
			operations.map(({ id }) => id as unknown).sort(),
		);
		const names = found.map(({ route }) => route.operationId as unknown as string);
		expect(new Set(names).size).toBe(names.length);
		for (const name of names) expect(operations.map(({ sdkName }) => sdkName)).toContain(name);
	});

	it("describes each error with the status of its code, as problem details", () => {
		for (const { id, http, errors } of routes) {
			const responses = routeOf(http.method, http.path)?.responses ?? {};
			const codes = new Set<string>();
			for (const [status, reference] of Object.entries(responses)) {
				const problem = follow(reference).content?.["application/problem+json"];
				if (!problem) {
					// A GET with a version is conditional.
					const known =
						http.method === "GET" && http.headers.some(({ as }) => as === "etag") ? [http.status, 304] : [http.status];
					expect(known, `${id} ${status}`).toContain(Number(status));
					continue;
				}
				const code = Object.keys(problem.examples ?? {})[0] as (typeof errorCodes)[number];
				codes.add(code);
				expect(httpStatus[code]).toBe(Number(status));
				expect(problem.examples?.[code]?.value).toMatchObject({ code, status: Number(status) });
			}
			for (const code of [...errors, "unauthenticated", "denied", "rate-limited", "unavailable", "internal"])
				expect(codes).toContain(code);
		}
		expect(document.components?.schemas?.Problem?.properties?.code?.enum).toEqual(errorCodes);
	});

	it("says when to try again where that helps", () => {
		for (const name of ["RateLimited", "Unavailable"])
			expect(follow(document.components?.responses?.[name]).headers).toHaveProperty("Retry-After");
	});

	it("takes an idempotency key with every call that changes something, and a trace context with all", () => {
		for (const { http, effect } of routes) {
			const names = Object.values(routeOf(http.method, http.path)?.parameters ?? {}).map((one) => follow(one).name as unknown);
			expect(names.includes("Idempotency-Key")).toBe(effect);
			expect(names).toContain("traceparent");
		}
	});

	it("needs the execution token with the operation's scope for every call", () => {
		for (const { http, scope } of routes)
			expect(routeOf(http.method, http.path)?.security).toEqual([
				{ executionToken: [scope] },
				{ executionToken: [scope], clientCertificate: [] },
			]);
		expect(document.components?.securitySchemes).toMatchObject({
			executionToken: { type: "http", scheme: "bearer" },
			clientCertificate: { type: "mutualTLS" },
		});
	});

	it("gives the version and the rest of the metadata of a variable in headers", () => {
		const { headers } = follow(routeOf("GET", "/v1/variables/{key}")?.responses?.["200"]);
		expect(Object.keys(headers ?? {})).toEqual(
			expect.arrayContaining(["ETag", "Cronium-Created-At", "Cronium-Updated-At", "Cronium-Updated-By", "Cronium-Expires-At"]),
		);
		const put = Object.values(routeOf("PUT", "/v1/variables/{key}")?.parameters ?? {}).map((one) => follow(one).name as unknown);
		expect(put).toEqual(expect.arrayContaining(["If-Match", "If-None-Match", "expiresInMs"]));
	});
});
