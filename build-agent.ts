import { build } from "esbuild";

/**
 * Makes the agent of SSH hosts: one file for machines that have Node and nothing else. It is a module and a script in one, because no package.json beside it says
 * which of both it is.
 */
export async function buildAgent(outfile: string): Promise<void> {
	await build({
		entryPoints: ["host/cli/agent-program.ts"],
		absWorkingDir: import.meta.dirname,
		outfile,
		bundle: true,
		format: "iife",
		platform: "node",
		target: "node22",
		minify: true,
		keepNames: true,
		legalComments: "eof",
		banner: { js: 'var require = process.getBuiltinModule("node:module").createRequire(process.execPath);' },
		logLevel: "warning",
	});
}
