import { expect } from "vitest";
import { type ConformanceCase, json } from "../conformance-case.ts";

const event = {
	id: "evt-1",
	name: "Nightly \u{1f600}",
	description: "",
	type: "schedule",
	runLocation: "remote",
	createdAt: "2026-01-02T03:04:05.678Z",
	updatedAt: "2026-01-02T03:04:05.679Z",
	userId: "user-1",
	server: { id: "srv-1", name: "web 1" },
	successCount: 0,
	failureCount: 12,
	lastRunAt: "2026-01-02T03:04:05.680Z",
};
const execution = {
	id: expect.stringMatching(/./),
	namespace: expect.stringMatching(/./),
	mode: expect.stringMatching(/^(?:sandbox|external)$/),
	attempt: 1,
	startedAt: expect.stringMatching(/Z$/),
	deadlineAt: expect.stringMatching(/Z$/),
};

export const runCases: readonly ConformanceCase[] = [
	{
		title: "input: none is null",
		steps: [{ call: "getInput", returns: null }],
		leaves: { noOutput: true },
	},
	{
		title: "output: the last one counts",
		steps: [
			{ call: "setOutput", with: { value: json('{"a":1}') }, returns: null },
			{ call: "setOutput", with: { value: json("false") } },
		],
		leaves: { output: false },
	},
	{
		title: "output: one over the limit is refused, and the one before stays",
		steps: [
			{ call: "setOutput", with: { value: json("1") } },
			{
				call: "setOutput",
				with: { value: json(`"${"a".repeat(1024 * 1024)}"`) },
				fails: { code: "too-large", limit: "maxOutputBytes" },
			},
		],
		leaves: { output: 1 },
	},
	{
		title: "condition: unset is nothing, and it can be true and false",
		steps: [
			{ call: "getCondition", returns: null },
			{ call: "setCondition", with: { value: true }, returns: null },
			{ call: "getCondition", returns: true },
			{ call: "setCondition", with: { value: false } },
			{ call: "getCondition", returns: false },
		],
		leaves: { condition: false },
	},
	{
		title: "condition: one that was never set is left unset",
		steps: [{ call: "getCondition", returns: null }],
		leaves: { condition: null },
	},
	{
		title: "event: every field is there, and the run",
		given: { event },
		steps: [{ call: "getEventContext", returns: { ...event, execution } }],
	},
	{
		title: "event: what is not known is not there",
		given: { event: { name: "a" } },
		steps: [{ call: "getEventContext", returns: { name: "a", execution } }],
	},
	{
		title: "log: lines keep their level, text, fields and order",
		steps: [
			{ call: "writeLog", with: { level: "debug", message: "one" }, returns: null },
			{ call: "writeLog", with: { level: "info", message: 'two "quoted" \u{1f600}\nnext', fields: json('{"a":[1,null]}') } },
			{ call: "writeLog", with: { level: "warn", message: "" } },
			{ call: "writeLog", with: { level: "error", message: "four", fields: json("{}") } },
		],
		leaves: {
			logs: (logs) =>
				expect(logs.map(({ level, message, fields }) => [level, message, fields])).toEqual([
					["debug", "one", undefined],
					["info", 'two "quoted" \u{1f600}\nnext', '{"a":[1,null]}'],
					["warn", "", undefined],
					["error", "four", "{}"],
				]),
		},
	},
	{
		title: "log: fields that are not an object and unknown levels are refused",
		steps: [
			{ call: "writeLog", with: { level: "info", message: "a", fields: json("[1]") }, fails: { code: "invalid" } },
			{ call: "writeLog", with: { level: "info", message: "a", fields: json("1") }, fails: { code: "invalid" } },
			{ call: "writeLog", with: { level: "fatal", message: "a" }, fails: { code: "invalid" } },
		],
		leaves: { logs: (logs) => expect(logs).toEqual([]) },
	},
	{
		title: "log: over the limit one marker is left, and the run goes on",
		needs: ["rights"],
		given: { limits: { maxLogBytes: 256 } },
		steps: [
			...Array.from({ length: 8 }, (_, index) => ({
				call: "writeLog",
				with: { level: "info", message: `${index} ${"x".repeat(80)}` },
			})),
			{ call: "getCondition", returns: null },
		],
		leaves: {
			logs: (logs) => {
				expect(logs.filter(({ source }) => source === "system")).toHaveLength(1);
				expect(logs.at(-1)).toMatchObject({ source: "system", message: expect.stringContaining("maxLogBytes") });
			},
		},
	},
];
