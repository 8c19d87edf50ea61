import { isLoaded, type Load, type Machine } from "./machine.ts";
import { formatValue, type Measurement, type Row, type Target } from "./measurement.ts";
import { quantile } from "./statistics.ts";

export function formatMachine(machine: Machine, load: Load): string {
	return [
		`cpu      ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; ${machine.system}`,
		`node     ${machine.node} (V8 ${machine.v8})`,
		formatLoad("before", load),
	].join("\n");
}

export function formatLoad(when: "before" | "after", load: Load): string {
	const percent = (share: number): string => `${Math.round(share * 100)} %`;
	const line = `load     ${when}: ${load.average.map((value) => value.toFixed(2)).join(" ")}; busy ${percent(load.busy)}, stolen ${percent(load.stolen)}`;
	return isLoaded(load) ? `${line}\n         The machine is loaded: trust the ratios, not the absolute figures.` : line;
}

export function formatMeasurement(name: string, { question, rows, targets, notes }: Measurement): string {
	const first = rows[0];
	const table = formatTable([
		["", "samples", "p50", "p99", "rounds p10–p90", "unit", "× first"],
		...rows.map((row) => [
			row.name,
			String(row.samples),
			formatValue(row.p50),
			formatValue(row.p99),
			formatSpread(row),
			row.unit,
			first && row.unit === first.unit && row !== first ? formatValue(row.p50 / first.p50) : "",
		]),
	]);
	return [`${name}: ${question}`, table, ...notes.map((note) => `  note: ${note}`), ...targets.map(formatTarget)].join("\n");
}

export function formatTarget({ text, measured, ratio, limit, comparison, met }: Target): string {
	const spread = ratio.low === ratio.high ? "" : ` (${formatValue(ratio.low)}–${formatValue(ratio.high)})`;
	return `  target ${text} · measured ${measured} · ratio ${formatValue(ratio.median)}${spread}, ${comparison} ${limit} · ${met ? "ok" : "MISSED"}`;
}

function formatSpread({ rounds }: Row): string {
	const sorted = Float64Array.from(rounds).sort();
	return `${formatValue(quantile(sorted, 0.1))}–${formatValue(quantile(sorted, 0.9))}`;
}

function formatTable(lines: readonly (readonly string[])[]): string {
	const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
	return lines
		.map(
			(line) =>
				`  ${line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ")}`,
		)
		.join("\n");
}
