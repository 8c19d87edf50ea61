import type { Outcome } from "../host/index.ts";

/** What a script has printed, as one text. */
export function printed({ logs }: Outcome, source: "stdout" | "stderr" = "stdout"): string {
	const lines = logs.filter((line) => line.source === source);
	return lines.map(({ message }) => message).join("\n");
}
