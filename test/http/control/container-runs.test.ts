import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineKinds, findTestEngine } from "../../containers/engines.ts";
import { type ControlServer, openControlServer } from "./control-server.ts";

const allowed = "localhost/operators/own:1";

/** What is refused is refused before any engine is asked: nobody listens at this one. */
describe("runs in containers over the control API, which are refused", () => {
	let server: ControlServer;
	beforeAll(async () => {
		server = await openControlServer({}, {}, { engine: "unix:///nonexistent/engine.sock", images: [allowed] });
	});
	afterAll(async () => {
		expect(server.internalErrors).toEqual([]);
		await server[Symbol.asyncDispose]();
	});

	const bash = { name: "a.sh", source: "echo" };
	test.each([
		[{ mode: "container", script: bash, engine: "quickjs-wasi" }, 400, "invalid", /^engine is for runs in the sandbox/],
		[
			{ mode: "container", script: bash, allowedHosts: ["a.example"] },
			400,
			"invalid",
			/^allowedHosts is for runs in the sandbox/,
		],
		[{ script: { name: "a.js", source: "1" }, arguments: ["x"] }, 400, "invalid", /^arguments is for runs in a container/],
		[{ script: { name: "a.js", source: "1" }, files: {} }, 400, "invalid", /^files is for runs in a container/],
		[{ script: { name: "a.js", source: "1" }, image: allowed }, 400, "invalid", /^image is for runs in a container/],
		[
			{ mode: "container", script: bash, image: "debian" },
			403,
			"denied",
			/^The image "debian" is not one that the operator has allowed/,
		],
		[{ mode: "container", script: bash, image: 1 }, 400, "invalid", /image/],
		[{ mode: "container", script: { ...bash, language: "ruby" } }, 400, "invalid", /language/],
		[{ mode: "container", script: { name: "a.rb", source: "" } }, 400, "invalid", /^What language "a.rb" is in is not known/],
		[{ mode: "sandbox", script: bash }, 501, "unsupported", /^The sandbox runs javascript, typescript, python; "a.sh" is bash/],
		[{ mode: "vm", script: bash }, 400, "invalid", /mode/],
		[{ script: bash, files: { "../a": "" } }, 400, "invalid", /^The file "\.\.\/a" has no legal path/],
		[{ script: bash, files: { "a.sh": "" } }, 400, "invalid", /^The file "a.sh" would be in the place of the script/],
		[{ script: bash, files: { "a.sh/b": "" } }, 400, "invalid", /^The file "a.sh\/b" would be in the place of the script/],
		[{ script: bash, files: { a: 5 } }, 400, "invalid", /^body\.files\.a must be string,object/],
		[{ script: bash, files: { a: { base64: "?" } } }, 400, "invalid", /^body\.files\.a\.base64 must match pattern/],
		[{ script: bash, files: { a: { base64: "AA==", more: 1 } } }, 400, "invalid", /^body\.files\.a/],
		[{ script: bash, arguments: ["a\0b"] }, 400, "invalid", /^arguments\[0\] has a NUL/],
		[{ script: bash, limits: { maxIdleContainers: 1 } }, 400, "invalid", /^body\.limits/],
	])("%j", async (body, status, code, message) => {
		const answer = await server.call("POST", "/control/v1/runs", body);
		expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
		expect(answer.body.detail).toMatch(message);
	});

	test("an image that is allowed is looked for, and an engine that is not there is the run's end", async () => {
		const { id } = (await server.call("POST", "/control/v1/runs", { script: bash, image: allowed })).body;
		const { body } = await server.call("GET", `/control/v1/runs/${id}/outcome?waitMs=20000`);
		expect(body).toMatchObject({ status: "failed", exitCode: 1, error: { code: "engine-unavailable" } });
		expect((await server.call("GET", `/control/v1/runs/${id}`)).body).toMatchObject({ mode: "container", status: "failed" });
	});
});

for (const kind of engineKinds) {
	const engine = await findTestEngine(kind);
	if ("missing" in engine) test.skip(`runs over the control API with ${kind}: ${engine.missing}`);
	else
		test(`a run of the control API has its files, arguments, input and event in a container of ${kind}, and leaves what it has made`, async () => {
			await using server = await openControlServer({ maxIdleContainers: 0 }, {}, { engine: engine.address });
			const source = `import json, sys, cronium
with open("/script/data/bytes.bin", "rb") as file: data = list(file.read())
with open("/script/text.txt") as file: text = file.read()
cronium.set_variable("seen", [sys.argv[1:], data, text])
cronium.set_condition(True)
cronium.log.warn("half", {"event": cronium.get_event_context().name})
print(json.dumps(cronium.get_input()))
cronium.set_output({"rate": cronium.get_variable("rate")})
cronium.delete_variable("rate")`;
			const { status, body } = await server.call("POST", "/control/v1/runs", {
				mode: "container",
				script: { name: "reports/total", source, language: "python" },
				arguments: ["--since", "", "ä\n"],
				files: { "data/bytes.bin": { base64: "AP8K" }, "text.txt": "é" },
				input: { n: 1 },
				event: { name: "nightly" },
				variables: { rate: 0.5 },
				namespace: "reports",
				limits: { maxContainerMemoryBytes: 128 * 1024 * 1024, maxContainerProcesses: 32 },
			});
			expect({ status, mode: body.mode, name: body.script.name }).toEqual({
				status: 201,
				mode: "container",
				name: "reports/total",
			});
			const outcome = await server.call("GET", `/control/v1/runs/${body.id}/outcome?waitMs=60000`);
			expect(outcome.body).toMatchObject({
				status: "succeeded",
				exitCode: 0,
				output: { rate: 0.5 },
				condition: true,
				logs: [
					{ source: "log", level: "warn", message: "half", fields: { event: "nightly" } },
					{ source: "stdout", message: '{"n": 1}' },
				],
			});
			const { text } = await server.call("GET", "/control/v1/namespaces/reports/variables/seen");
			expect(JSON.parse(text)).toEqual([["--since", "", "ä\n"], [0, 255, 10], "é"]);

			const failing = { script: { name: "a.sh", source: "echo out; echo err >&2; exit 7" } };
			const { id } = (await server.call("POST", "/control/v1/runs", failing)).body;
			expect((await server.call("GET", `/control/v1/runs/${id}/outcome?waitMs=60000`)).body).toMatchObject({
				status: "failed",
				exitCode: 7,
				error: { code: "script-error", message: "The script ended with exit code 7." },
			});
			expect((await server.call("GET", `/control/v1/runs/${id}`)).body).toMatchObject({
				mode: "container",
				status: "failed",
				exitCode: 7,
			});
			expect(server.internalErrors).toEqual([]);
		});
}
