import { exitCodes } from "./command.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** Resolves with the first signal that asks the process to end. */
export function endRequested(): Promise<void> {
	return new Promise((resolve) => {
		const onSignal = (): void => {
			for (const name of signals) process.off(name, onSignal);
			resolve();
		};
		for (const name of signals) process.on(name, onSignal);
	});
}

/** Ends the process at once with the next one. Returns what takes that back. */
export function forceOnSecondSignal(): () => void {
	const force = (): void => process.exit(exitCodes.cancelled);
	for (const name of signals) process.on(name, force);
	return () => {
		for (const name of signals) process.off(name, force);
	};
}
