import { readFileSync, writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";
import { type Cell, matrixFile, printMatrix, renderMatrix, replaceMatrix } from "./matrix.ts";

/**
 * Prints what every door and SDK has shown, after the tests. With `CRONIUM_WRITE_MATRIX` it is written into the documentation, too, when all of it was
 * run and nothing failed.
 */
export default class MatrixReporter implements Reporter {
	onTestRunEnd(modules: readonly TestModule[]): void {
		const cells = modules.flatMap(readModule);
		if (cells.length === 0) return;
		process.stdout.write(`\nConformance: cases × doors\n\n${printMatrix(cells)}\n`);
		if (!process.env.CRONIUM_WRITE_MATRIX || cells.some(({ state }) => state === "failed")) return;
		writeFileSync(matrixFile, replaceMatrix(readFileSync(matrixFile, "utf8"), renderMatrix(cells)));
	}
}

function readModule(module: TestModule): Cell[] {
	if (!module.moduleId.includes("/test/conformance/doors/")) return [];
	const cells: Cell[] = [];
	for (const test of module.children.allTests()) {
		const { parent } = test;
		if (parent.type !== "suite" || parent.parent.type !== "suite") continue;
		const result = test.result();
		const note = "note" in result ? result.note : undefined;
		const state = result.state === "skipped" ? (note ?? "left out") : result.state === "passed" ? "passed" : "failed";
		cells.push({ door: parent.parent.name, column: parent.name, title: test.name, state });
	}
	return cells;
}
