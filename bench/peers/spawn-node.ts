import { spawn } from "node:child_process";
import { once } from "node:events";
import { expression, type OpenPeer, requireResult } from "./peer.ts";

const name = "spawning node (no prelude)";

/** A process of the same Node for every script: what running a script cost before there was a sandbox. */
export const open: OpenPeer = async () => ({
	name,
	start: async () => {
		const started = performance.now();
		const child = spawn(process.execPath, ["-e", `process.stdout.write(${expression})`], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		const closed = once(child, "close");
		const [result] = (await once(child.stdout, "data")) as [Buffer];
		const took = performance.now() - started;
		await closed;
		requireResult(name, result.toString());
		return took * 1_000;
	},
	[Symbol.asyncDispose]: async () => undefined,
});
