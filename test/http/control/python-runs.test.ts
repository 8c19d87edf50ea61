import { afterAll, beforeAll, expect, test } from "vitest";
import { packZip } from "../../../host/executors/ssh/zip-archive.ts";
import { imageTimeoutMs, placePythonImage } from "../../python-image.ts";
import { type ControlServer, openControlServer } from "./control-server.ts";

let server: ControlServer;
beforeAll(async () => {
	server = await openControlServer();
	await placePythonImage(server.dataDirectory);
}, imageTimeoutMs);
afterAll(() => server[Symbol.asyncDispose]());

const python = { name: "reports/total.py", source: "print(1)" };

test.each([
	[{ script: python, engine: "python" }, /^body\.engine must be equal to one of/],
	[{ script: python, engine: "quickjs-wasi" }, /^engine is for JavaScript and TypeScript; "reports\/total.py" is python\.$/],
	[{ script: python, files: { "../a": "" } }, /^The file "..\/a" has no legal path/],
	[{ script: python, files: { "total.py": "" } }, /^The file "total.py" would be in the place of the script/],
	[
		{ script: python, files: { "x-1-py3-none-any.whl": { base64: "AA==" } } },
		/^The wheel "x-1-py3-none-any.whl" is no ZIP archive/,
	],
	[{ script: python, files: { "x-1-cp314-cp314-linux_x86_64.whl": { base64: "UEsDBA==" } } }, /native code.*container mode/],
	[{ script: python, image: "x" }, /^image is for runs in a container; this run is in mode sandbox/],
	[{ mode: "container", script: python, engine: "quickjs-wasi" }, /^engine is for runs in the sandbox/],
])("%j is refused", async (body, message) => {
	const answer = await server.call("POST", "/control/v1/runs", body);
	expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 400, code: "invalid" });
	expect(answer.body.detail).toMatch(message);
});

test("a run of the control API has its files, wheels, arguments, input and event in the sandbox, and ends with its exit code", async () => {
	const source = `import sys, cronium, rates
from pathlib import Path
here = Path(__file__).parent
cronium.set_variable("seen", [sys.argv[1:], list((here / "data/bytes.bin").read_bytes()), (here / "text.txt").read_text()])
cronium.set_condition(True)
cronium.log.warn("half", {"event": cronium.get_event_context().name})
cronium.set_output({"rate": cronium.get_variable("rate") * rates.factor, "input": cronium.get_input()})
sys.exit(4)`;
	const wheel = packZip(new Map([["rates.py", Buffer.from("factor = 2")]]));
	const { status, body } = await server.call("POST", "/control/v1/runs", {
		script: { name: "reports/total", source, language: "python" },
		arguments: ["--since", "", "ä\n"],
		files: {
			"data/bytes.bin": { base64: "AP8K" },
			"text.txt": "é",
			"rates-1.0-py3-none-any.whl": { base64: wheel.toString("base64") },
		},
		input: { n: 1 },
		event: { name: "nightly" },
		variables: { rate: 0.5 },
		namespace: "reports",
	});
	expect({ status, body }).toMatchObject({
		status: 201,
		body: { mode: "sandbox", engine: "python", script: { name: "reports/total" } },
	});
	const outcome = await server.call("GET", `/control/v1/runs/${body.id}/outcome?waitMs=20000`);
	expect(outcome.body).toMatchObject({
		status: "failed",
		exitCode: 4,
		error: { code: "script-error", message: "The script ended with exit code 4." },
		output: { rate: 1, input: { n: 1 } },
		condition: true,
		logs: [{ source: "log", level: "warn", message: "half", fields: { event: "nightly" } }],
	});
	const seen = await server.call("GET", "/control/v1/namespaces/reports/variables/seen");
	expect(seen.body).toEqual([["--since", "", "ä\n"], [0, 255, 10], "é"]);
	expect((await server.call("GET", `/control/v1/runs/${body.id}`)).body).toMatchObject({ engine: "python", exitCode: 4 });
});
