import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { createHost, type HostOptions } from "../../../host/index.ts";
import { type JavaScriptEngine, javascriptEngines } from "../../../host/sandbox/engine.ts";
import { placePythonImage } from "../../python-image.ts";
import { temporaryDirectory } from "../../store/directory.ts";
import { type ConformanceColumn, conformance } from "../conformance.ts";
import type { Need } from "../conformance-case.ts";
import { runSandboxCase, type SandboxOrder } from "../sandbox-case.ts";
import { guestFile } from "../sdk-guests.ts";
import { sdkLacks } from "../sdk-lacks.ts";

type Place = Parameters<typeof runSandboxCase>[3];

conformance({
	name: "sandbox",
	columns: [
		...javascriptEngines.map(javascriptColumn),
		column("Python", {}, { ...sdkLacks.Python, concurrency: "Python in the sandbox has no threads" }, placePython("sync")),
		// In processes of their own, as `cronium serve` has its scripts.
		column("Python asyncio", { guests: "process" }, { texts: sdkLacks.Python.texts }, placePython("aio")),
	],
});

function javascriptColumn(engine: JavaScriptEngine): ConformanceColumn {
	return column(engine, { engine }, sdkLacks.JavaScript, async () => {
		const guest = await bundleGuest();
		return ({ steps, reportTo }) => ({
			script: {
				name: "conformance.js",
				source: `const calls = ${JSON.stringify(steps)}, reportTo = "${reportTo}";\n${guest}`,
			},
		});
	});
}

function placePython(variant: "sync" | "aio"): (dataDirectory: string) => Promise<Place> {
	const source = readFileSync(guestFile("sandbox.py"), "utf8");
	const guest = readFileSync(guestFile("guest.py"), "utf8");
	return async (dataDirectory) => {
		await placePythonImage(dataDirectory);
		return (order: SandboxOrder) => ({
			script: { name: "sandbox.py", source },
			files: { "guest.py": guest, "order.json": JSON.stringify(order) },
			arguments: [variant],
		});
	};
}

function column(
	name: string,
	options: HostOptions,
	lacks: Partial<Record<Need, string>>,
	/** Is given the data directory that the host will have. */
	createPlace: (dataDirectory: string) => Promise<Place>,
): ConformanceColumn {
	return {
		name,
		lacks: { ...lacks, connection: "nothing travels", token: "a script in the sandbox has none" },
		async open() {
			await using opened = new AsyncDisposableStack();
			const directory = temporaryDirectory();
			opened.defer(() => directory.remove());
			const place = await createPlace(directory.path);
			const host = opened.use(await createHost({ ...options, dataDirectory: directory.path, limits: { maxWorkers: 2 } }));
			const owned = opened.move();
			let runs = 0;
			return {
				run: (given) => runSandboxCase(given, host, `case-${runs++}`, place),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

async function bundleGuest(): Promise<string> {
	const { outputFiles } = await build({
		entryPoints: [guestFile("sandbox.ts")],
		bundle: true,
		format: "esm",
		external: ["cronium"],
		write: false,
	});
	return outputFiles[0]?.text as string;
}
