/**
 * A host whose process runs out of descriptors while its guest process is killed. Says what became of the runs: one before, one meanwhile, and one when
 * there are descriptors again. To be started with a low limit of open files.
 */
import { closeSync, openSync } from "node:fs";
import { createHost } from "../../host/index.ts";
import { guestProcesses, isRunning } from "./guest-processes.ts";

process.on("warning", () => undefined);
await using host = await createHost({ guests: "process", limits: { maxWorkers: 1 } });
const run = async (): Promise<string> => {
	const { status, error } = await host.run({ script: { name: "one.js", source: "export default () => 1" } });
	return error ? `${status} ${error.code}` : status;
};
const said = [await run()];
// Opens what of the store opens late.
await host.executions.list();
const guests = guestProcesses(process.pid);
const taken: number[] = [];
try {
	for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
	// There are no more.
}
for (const pid of guests) process.kill(pid, "SIGKILL");
// What the dead process has left free is taken, too, before anybody else takes it.
for (let turn = 0; turn < 50; turn++) {
	await new Promise((resolve) => setTimeout(resolve, 10));
	try {
		taken.push(openSync("/dev/null", "r"));
	} catch {
		// As before.
	}
}
said.push(await run());
for (const descriptor of taken) closeSync(descriptor);
said.push(await run());
said.push(guests.some(isRunning) ? "left" : "gone");
console.log(JSON.stringify(said));
