import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildProgram, programVariable } from "./built-program.ts";
import { stopEngine } from "./containers/engine-process.ts";
import { engineKinds, enginesVariable } from "./containers/engines.ts";

/** Programs and files that tests need beyond npm, and the Debian packages that have them. */
const programs: Readonly<Record<string, string>> = {
	strace: "strace",
	curl: "curl",
	jq: "jq",
	openssl: "openssl",
	dockerd: "docker.io",
	podman: "podman",
	catatonit: "catatonit",
	runc: "runc",
	sshd: "openssh-server",
	ssh: "openssh-client",
	tcsh: "tcsh",
	fish: "fish",
	ip: "iproute2",
	"/usr/share/zoneinfo/Europe/Berlin": "tzdata",
};

/**
 * Installs what is missing when it can (as root, on Debian). Elsewhere the tests that need it are skipped and say so; in CI a missing program
 * is an error. Makes the directory where tests start container engines (containers/engines.ts), and stops them after the last test.
 */
export default function setup(): () => Promise<void> {
	install();
	// Hundreds of hosts are made, each with threads that load the program: the code that Node has compiled once takes them 40 % less of a processor.
	process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("../node_modules/.cache/compiled", import.meta.url));
	process.env[programVariable] = buildProgram();
	const directory = mkdtempSync(join(tmpdir(), "engines-"));
	// Users of containers go through it.
	chmodSync(directory, 0o711);
	process.env[enginesVariable] = directory;
	return async () => {
		for (const kind of engineKinds) if (existsSync(join(directory, kind))) await stopEngine(join(directory, kind));
		rmSync(directory, { recursive: true, force: true });
	};
}

function install(): void {
	const missing = Object.keys(programs).filter((program) => !isInstalled(program));
	if (missing.length === 0) return;
	if (process.getuid?.() === 0 && isInstalled("apt-get")) {
		const packages = missing.map((program) => programs[program] as string);
		const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
		spawnSync("apt-get", ["update", "-q"], { env });
		spawnSync("apt-get", ["install", "-q", "-y", "--no-install-recommends", ...packages], { env });
	}
	const left = missing.filter((program) => !isInstalled(program));
	if (left.length > 0 && process.env.CI) throw new Error(`The tests need ${left.join(", ")}, which could not be installed.`);
}

const isInstalled = (program: string): boolean =>
	program.startsWith("/") ? existsSync(program) : spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;
