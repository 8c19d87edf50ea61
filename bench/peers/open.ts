import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open as openIsolatedVm } from "./isolated-vm.ts";
import { open as openNodeVm } from "./node-vm.ts";
import type { OpenPeer, Peer, PeerSetup } from "./peer.ts";
import { open as openRun } from "./run.ts";
import { open as openSpawnNode } from "./spawn-node.ts";

const directory = fileURLToPath(new URL(".", import.meta.url));
const execute = promisify(execFile);

/** Every peer: `package` is what must be installed for it. */
const peers = {
	"isolated-vm": { package: "isolated-vm", open: openIsolatedVm },
	run: { package: "run", open: openRun },
	"node-vm": { package: undefined, open: openNodeVm },
	"spawn-node": { package: undefined, open: openSpawnNode },
} as const satisfies Record<string, { package: string | undefined; open: OpenPeer }>;

export type PeerName = keyof typeof peers;

/**
 * Opens peers that are ready to be measured. One that does not work on this machine is left out, with its reason: `reason` is for the notes of
 * the measurement.
 */
export async function openPeers(
	names: readonly PeerName[],
	setup: PeerSetup,
): Promise<{ readonly opened: Partial<Record<PeerName, Peer>>; readonly skipped: readonly string[] }> {
	const opened: Partial<Record<PeerName, Peer>> = {};
	const skipped: string[] = [];
	for (const name of names) {
		const { package: packageName, open } = peers[name];
		try {
			if (packageName !== undefined) await requirePackage(packageName);
			const peer = await open(setup);
			await peer.start();
			opened[name] = peer;
		} catch (error) {
			skipped.push(`${name} skipped: ${error instanceof Error ? (error.message.trim().split("\n").at(-1) ?? "") : error}`);
		}
	}
	return { opened, skipped };
}

let installing: Promise<void> | undefined;

/** Installs the peers' packages if need be and tries the one out in a process of its own: a broken addon takes its process down. */
async function requirePackage(name: string): Promise<void> {
	if (!existsSync(`${directory}node_modules/${name}/package.json`)) {
		installing ??= install();
		await installing;
	}
	try {
		await execute(process.execPath, ["--input-type=module", "-e", `await import(${JSON.stringify(name)})`], { cwd: directory });
	} catch (error) {
		const { code, signal, stderr } = error as { code?: number; signal?: string; stderr: string };
		const cause = /^\w*Error.*$/m.exec(stderr)?.[0] ?? `its process ended with ${signal ?? `exit code ${code}`}`;
		throw new Error(`${name} does not load: ${cause}`, { cause: error });
	}
}

async function install(): Promise<void> {
	try {
		await execute("npm", ["ci", "--no-audit", "--no-fund"], { cwd: directory, timeout: 120_000 });
	} catch (error) {
		const { message, stderr } = error as { message: string; stderr?: string };
		throw new Error(`npm ci failed: ${/^npm error .+$/m.exec(stderr ?? "")?.[0] ?? message.split("\n")[0]}`, { cause: error });
	}
}
