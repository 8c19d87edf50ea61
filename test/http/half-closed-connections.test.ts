import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates, readClient } from "../tokens/certificates.ts";
import { type Door, type DoorRun, openDoor } from "./door.ts";

describe.each(["HTTP", "HTTPS"])("a client that has ended its side of a connection (%s)", (protocol) => {
	let directory: string;
	let door: Door;
	let run: DoorRun;
	let open: () => Socket;

	beforeAll(async () => {
		directory = mkdtempSync(join(tmpdir(), "cronium-half-closed-"));
		if (protocol === "HTTP") {
			door = await openDoor();
			open = () => connectTcp(Number(new URL(door.url).port), "127.0.0.1");
		} else {
			const files = makeCertificates(directory);
			const read = (file: string) => readFileSync(file, "utf8");
			door = await openDoor({ server: { tls: { key: read(files.serverKey), certificate: read(files.serverCert) } } });
			const client = { ...readClient(files, "client"), servername: "localhost" };
			open = () => connectTls({ ...client, host: "127.0.0.1", port: Number(new URL(door.url).port) });
		}
		run = await door.startRun({ input: "7" });
	}, 60_000);
	afterAll(async () => {
		expect(door.internalErrors).toEqual([]);
		await run.end();
		await door[Symbol.asyncDispose]();
		rmSync(directory, { recursive: true, force: true });
	});

	/** Sends a text and the end, and returns everything until the server has closed the connection. */
	async function exchange(text: string): Promise<string> {
		const socket = open();
		socket.end(text);
		let received = "";
		for await (const chunk of socket) received += chunk;
		return received;
	}
	const head = (method: string, path: string, ...lines: readonly string[]) =>
		`${[`${method} ${path} HTTP/1.1`, "Host: a", `Authorization: Bearer ${run.token}`, ...lines].join("\r\n")}\r\n\r\n`;
	const put = (length: number) => head("PUT", "/v1/variables/a", "Content-Type: application/json", `Content-Length: ${length}`);

	test("gets the answer to a read, and to a write that has to reach the disk first", async () => {
		expect(await exchange(head("GET", "/v1/input"))).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n7$/);
		expect(await exchange(`${put(1)}1`)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
		expect(await door.host.variables().get("a")).toBe("1");
	});

	test("gets the answers to all requests that it has sent, in their order", async () => {
		const answers = await exchange(`${put(1)}2${head("GET", "/v1/variables/none")}${head("GET", "/v1/input")}`);
		expect(answers.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
	});

	test("in the middle of a request changes nothing and is not waited for", async () => {
		await exchange(`${put(2)}9`);
		await exchange(head("GET", "/v1/input").slice(0, -2));
		await exchange("");
		expect(await door.host.variables().get("a")).not.toContain("9");
	});
});
