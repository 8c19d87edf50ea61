import { afterAll, beforeAll, expect, test } from "vitest";
import { type Door, type DoorRun, openDoor } from "./door.ts";

let door: Door;
let own: DoorRun;
/** In the same namespace, but another run. */
let sibling: DoorRun;
/** In another namespace. */
let stranger: DoorRun;
beforeAll(async () => {
	door = await openDoor();
	own = await door.startRun({ namespace: "a", input: '"own"', event: { id: "own-event", userId: "ada" } });
	sibling = await door.startRun({ namespace: "a", input: '"sibling"', event: { id: "sibling-event" } });
	stranger = await door.startRun({ namespace: "b", input: '"stranger"', event: { id: "stranger-event" } });
});
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await Promise.all([own, sibling, stranger].map((run) => run.end()));
	await door[Symbol.asyncDispose]();
});

test("a token has the input, the event, the condition and the output of its own run", async () => {
	await own.call("PUT", "/v1/condition", "true");
	await own.call("PUT", "/v1/output", '"of own"');
	for (const [run, name] of [
		[own, "own"],
		[sibling, "sibling"],
		[stranger, "stranger"],
	] as const) {
		expect((await run.call("GET", "/v1/input")).body).toBe(name);
		expect((await run.call("GET", "/v1/context")).body).toMatchObject({ id: `${name}-event`, execution: { id: run.id } });
		expect((await run.call("GET", "/v1/condition")).body).toBe(name === "own" ? true : null);
	}
	expect((await sibling.call("GET", "/v1/context")).text).not.toContain("ada");
	expect(await stranger.end()).not.toHaveProperty("output");
	stranger = await door.startRun({ namespace: "b" });
});

test("variables of another namespace cannot be read, listed, changed, counted or known of", async () => {
	const { headers } = await own.call("PUT", "/v1/variables/secret", '"of a"');
	const etag = headers.etag as string;
	expect((await sibling.call("GET", "/v1/variables/secret")).body).toBe("of a");
	expect(await stranger.call("GET", "/v1/variables/secret")).toMatchObject({ status: 404 });
	expect((await stranger.call("GET", "/v1/variables")).body).toEqual({ items: [] });
	expect(await stranger.call("DELETE", "/v1/variables/secret")).toMatchObject({ text: "false" });
	// A version of one is no version of the other, and no conflict tells which one it has.
	const conflict = await stranger.call("PUT", "/v1/variables/secret", "1", { "if-match": etag });
	expect(conflict.status).toBe(412);
	expect(conflict.body.currentVersion).toBeUndefined();
	expect(await stranger.call("PUT", "/v1/variables/secret", '"of b"', { "if-none-match": "*" })).toMatchObject({ status: 200 });
	expect((await own.call("GET", "/v1/variables/secret")).headers.etag).toBe(etag);
	expect(await stranger.call("GET", "/v1/variables/secret", undefined, { "if-none-match": etag })).toMatchObject({ status: 200 });
});

test("a cursor of one namespace leads into no other", async () => {
	for (let index = 0; index < 5; index++) await own.call("PUT", `/v1/variables/page-${index}`, "1");
	const { cursor } = (await own.call("GET", "/v1/variables?prefix=page-&limit=2")).body;
	expect(cursor).toBeTypeOf("string");
	const answer = await stranger.call("GET", `/v1/variables?prefix=page-&limit=2&cursor=${encodeURIComponent(cursor)}`);
	expect(answer.body.items ?? []).toEqual([]);
});

test.each([
	["an id in the path", (id: string) => `/v1/runs/${id}/input`],
	["an id in the query", (id: string) => `/v1/input?execution=${id}`],
	["an id in a prefix", (id: string) => `/v1/${id}/input`],
	["a namespace in the path", () => "/v1/namespaces/b/variables"],
	["a namespace in the query", () => "/v1/variables?namespace=b"],
])("no route takes %s", async (_name, path) => {
	expect([400, 404]).toContain((await own.call("GET", path(stranger.id))).status);
});

test.each(["cronium-execution", "x-execution-id", "x-namespace", "cronium-namespace", "x-forwarded-user", "cookie"])(
	"the header %s makes nobody else of a run",
	async (name) => {
		const answer = await own.call("GET", "/v1/context", undefined, {
			[name]: name === "cookie" ? `token=${stranger.token}` : stranger.id,
		});
		expect(answer.body.execution).toMatchObject({ id: own.id, namespace: "a" });
	},
);

test("names of namespaces that begin alike, or hold a separator, stay apart", async () => {
	const runs = await Promise.all(["n", "n-1", "n.1"].map((namespace) => door.startRun({ namespace })));
	for (const [index, run] of runs.entries()) await run.call("PUT", "/v1/variables/x", String(index));
	for (const [index, run] of runs.entries()) {
		expect((await run.call("GET", "/v1/variables/x")).body).toBe(index);
		expect((await run.call("GET", "/v1/variables")).body.items).toHaveLength(1);
		await run.end();
	}
});

test("1,000 runs at one time have each what is theirs", async () => {
	const runs = await Promise.all(
		Array.from({ length: 1_000 }, (_, index) => door.startRun({ namespace: `many-${index % 100}`, input: String(index) })),
	);
	expect(new Set(runs.map(({ token }) => token)).size).toBe(1_000);
	for (let first = 0; first < runs.length; first += 50)
		await Promise.all(
			runs.slice(first, first + 50).map(async (run, offset) => {
				const index = first + offset;
				expect((await run.call("GET", "/v1/input")).body).toBe(index);
				await run.call("PUT", `/v1/variables/of-${index}`, String(index));
				expect((await run.call("GET", `/v1/variables/of-${index + 1}`)).status).toBe(404);
			}),
		);
	// Every second one ends: its token is worth nothing from then on, those of the others are.
	await Promise.all(runs.map((run, index) => (index % 2 === 0 ? run.end() : undefined)));
	const sample = runs.slice(0, 40);
	const answers = await Promise.all(sample.map((run) => run.call("GET", "/v1/input")));
	expect(answers.map(({ status }) => status)).toEqual(sample.map((_, index) => (index % 2 === 0 ? 401 : 200)));
	await Promise.all(runs.map((run) => run.end()));
}, 60_000);
