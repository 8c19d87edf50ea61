import { defineConfig } from "vitest/config";
import LongestFirst from "./test/longest-first.ts";
import { roomForStart } from "./test/room-for-start.ts";

export default defineConfig({
	test: {
		include: ["test/**/*.test.ts"],
		globalSetup: "test/setup.ts",
		// Real threads, processes, files, containers and hosts, which are waited for: with three files at a time two cores are idle for a third of the time.
		pool: "forks",
		maxWorkers: 4,
		// Isolates that load the program, of which there are thousands, need not look for garbage meanwhile: a tenth less of a processor.
		execArgv: [roomForStart],
		// A process for all files of a worker: each of them would load the program anew.
		isolate: false,
		sequence: { sequencer: LongestFirst },
		testTimeout: 30_000,
		hookTimeout: 30_000,
		reporters: ["default", "./test/conformance/matrix-reporter.ts"],
	},
});
