import { fullEffort, type Measure, type Measurement, quickEffort } from "./measurement.ts";

/** What a measuring process sends to the one that started it. */
export interface ChildReport {
	readonly measurement: Measurement;
}

// Measures one question in a process of its own, so that neither the memory nor the compiled code of one question tells on another.
const [name, mode] = process.argv.slice(2);
const { measure } = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as { readonly measure: Measure };
const measurement = await measure(mode === "quick" ? quickEffort : fullEffort);
process.send?.({ measurement } satisfies ChildReport, undefined, {}, () => process.disconnect?.());
