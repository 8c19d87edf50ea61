import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		include: ["test/**/*.test.ts"],
		globalSetup: "test/setup.ts",
		// Real threads, processes and files: two files at a time are what two cores carry.
		pool: "forks",
		maxWorkers: 2,
		testTimeout: 30_000,
		hookTimeout: 30_000,
		reporters: ["default", "./test/conformance/matrix-reporter.ts"],
	},
});
