import { expect, test } from "vitest";
import { resolveLimits } from "../../host/contract/limits.ts";
import { Traffic } from "../../host/http/traffic.ts";
import { type Door, type DoorRun, openDoor } from "./door.ts";
import { openConnection, type RawConnection } from "./send-request.ts";

/** Just under 1 MiB, and refused for its last member: it is judged to its end, and answered as soon as it has been. */
const faulty = `{${Array.from({ length: 80_000 }, (_, number) => `"k${number}":0`).join(",")},"k0":0}`;

/** Over a Unix socket, for which the system keeps little: what has been written has soon been read. */
const open = () => openDoor({ unixSocket: true, limits: { maxPendingBytes: 64 * 1024 * 1024 } });

/** Connections over which all of a faulty body has come but for its last byte. */
async function sendAllButOneByte(door: Door, { token }: DoorRun, count: number): Promise<readonly RawConnection[]> {
	const target = { socketPath: door.socketPath as string };
	const connections = await Promise.all(Array.from({ length: count }, () => openConnection(target)));
	const head = `PUT /v1/output HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${faulty.length}\r\n\r\n`;
	for (const { write } of connections) write(head + faulty.slice(0, -1));
	await Promise.all(connections.map(({ socket }) => expect.poll(() => socket.writableLength, { interval: 5 }).toBe(0)));
	// The server reads in the same event loop.
	for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
	return connections;
}

test("a read of another namespace is answered before the last of many large bodies that came before it", async () => {
	await using door = await open();
	const flood = await door.startRun({ namespace: "flood" });
	const calm = await door.startRun({ namespace: "calm" });
	expect(await calm.call("GET", "/v1/condition")).toMatchObject({ status: 200 });
	const connections = await sendAllButOneByte(door, flood, 12);
	using reader = await openConnection({ socketPath: door.socketPath as string });
	const order: string[] = [];
	for (const { write } of connections) write("}");
	reader.write(`GET /v1/condition HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${calm.token}\r\n\r\n`);
	await Promise.all([
		...connections.map(({ received }) => received(/ 400 /).then(() => order.push("flood"))),
		reader.received(/ 200 /).then(() => order.push("calm")),
	]);
	expect(order).toHaveLength(13);
	expect(order.indexOf("calm")).toBeLessThan(6);
	for (const { socket } of connections) socket.destroy();
	await Promise.all([flood.end(), calm.end()]);
});

test("large bodies are judged one in a turn of the event loop, namespaces in turn, and those whose connections are cut never", async () => {
	await using door = await openDoor();
	const run = await door.host.open({});
	const traffic = new Traffic(resolveLimits());
	const { largeBodies } = traffic;
	const order: string[] = [];
	const wait = (namespace: string, name: string) => {
		const call = traffic.admit(run);
		void largeBodies.turn(namespace, call).then(() => order.push(name));
		return call;
	};
	wait("flood", "flood 1");
	const cut = wait("flood", "cut");
	wait("flood", "flood 2");
	wait("flood", "flood 3");
	wait("calm", "calm");
	cut.close();
	const late = traffic.admit(run);
	late.close();
	void largeBodies.turn("calm", late).then(() => order.push("late"));
	expect(largeBodies.waiting).toBe(3);
	const turns: number[] = [];
	while (largeBodies.waiting > 0) {
		await new Promise(setImmediate);
		turns.push(order.length);
	}
	await new Promise(setImmediate);
	expect(order).toEqual(["flood 1", "calm", "flood 2", "flood 3"]);
	// Never two more in one turn.
	for (const [index, count] of turns.entries()) expect(count - (turns[index - 1] ?? 1)).toBeLessThanOrEqual(1);
	run.end({ status: "succeeded" });
	await run.outcome;
});

test("a large body that waits is refused when its run ends meanwhile", async () => {
	await using door = await open();
	const run = await door.startRun();
	const connections = await sendAllButOneByte(door, run, 8);
	for (const { write } of connections) write("}");
	await Promise.race(connections.map(({ received }) => received(/ 400 /)));
	await run.end();
	const answers = await Promise.all(connections.map(({ received }) => received(/^HTTP\/1\.1 \d+ /)));
	const statuses = answers.map((text) => text.slice(9, 12));
	expect(statuses).toContain("401");
	for (const status of statuses) expect(["400", "401"]).toContain(status);
	for (const { socket } of connections) socket.destroy();
});
