import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { temporaryDirectory } from "./directory.ts";

test.each([
	["while the writer starts", ["0"], ["30"], ["60"], ["90"], ["120"], ["160"]],
	["while a worker starts and the writer writes", ["250", "busy"], ["320", "busy"], ["400", "busy"], ["600", "busy"]],
])("process.exit %s ends the process as it should, and the store goes on", async (_, ...runs) => {
	const directory = temporaryDirectory();
	try {
		for (const run of runs) {
			const child = spawn(process.execPath, [fileURLToPath(new URL("exit-child.ts", import.meta.url)), directory.path, ...run], {
				stdio: ["ignore", "inherit", "pipe"],
			});
			let stderr = "";
			child.stderr.on("data", (data: Buffer) => {
				stderr += data;
			});
			const ended = await new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
			expect({ ...(ended as object), stderr }).toEqual({ code: 3, signal: null, stderr: "" });
		}
		const store = await openLmdbStore({ directory: directory.path, maxStoreBytes: 256 * 1024 * 1024 });
		expect(await store.commit({ operations: [{ type: "set", key: ["b"], value: "1" }] })).toMatchObject({ committed: true });
		await store.close();
	} finally {
		directory.remove();
	}
});
