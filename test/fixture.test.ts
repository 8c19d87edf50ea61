import { expect, test } from "vitest";
import { createHost } from "../host/index.ts";

test("a fixture has what the run found: its input and event, and variables as they were before it changed them", async () => {
	await using host = await createHost({ limits: { maxWorkers: 1 } });
	const variables = host.variables("fixture");
	const large = JSON.stringify("x".repeat(5_000));
	await variables.set("read", "1.50");
	await variables.set("large", large);
	await variables.set("overwritten", '"before"');
	await variables.set("counter", "6");
	await variables.set("unread", "0");
	const source = `
		import { deleteVariable, getVariable, getVariableEntry, incrementVariable, setVariable } from "cronium";
		await getVariable("read");
		await getVariableEntry("large");
		await setVariable("large", 1);
		await getVariable("large");
		await setVariable("overwritten", "after");
		await getVariable("overwritten");
		await incrementVariable("counter", 2);
		await incrementVariable("new");
		await getVariable("missing");
		await getVariable("\\u0000").catch(() => undefined);
		export default () => ({ done: true });`;
	const outcome = await host.run({
		script: { name: "fixture.js", source },
		namespace: "fixture",
		input: "[1.0]",
		event: { id: "event-1" },
	});
	expect(outcome).toMatchObject({ status: "succeeded" });
	const text = await host.executions.fixture(outcome.executionId);
	expect(text).toContain('"input":[1.0]');
	expect(text).toContain('"read":1.50');
	expect(JSON.parse(text)).toEqual({
		cronium: "fixture",
		format: 1,
		recordedAt: expect.stringMatching(/^20.*Z$/),
		input: [1],
		event: { id: "event-1" },
		variables: { read: 1.5, large: "x".repeat(5_000), counter: 6 },
		output: { done: true },
	});
	await expect(host.executions.fixture("none")).rejects.toMatchObject({ code: "not-found" });
});
