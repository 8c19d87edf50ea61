import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import type { StepResult } from "../conformance/conformance-case.ts";
import type { GuestCall } from "../conformance/guest-step.ts";
import { buildSdks, type Sdk, type SdkGuest, sdks, startGuest } from "../conformance/sdk-guests.ts";

/** A running guest with one of the SDKs. */
export interface Guest {
	readonly sdk: Sdk;
	/** Its working directory, empty. */
	readonly directory: string;
	/** Begins anew with these settings. */
	enter(environment: Readonly<Record<string, string>>): Promise<void>;
	/** What a call returned; rejects with a `GuestError` when it failed. */
	call(name: string, ...given: readonly unknown[]): Promise<unknown>;
	/** The same call by several callers at one time. */
	callTogether(lanes: number, name: string, ...given: readonly unknown[]): Promise<unknown>;
}

/** What the SDK of a guest has said of a failure. */
export class GuestError extends Error {
	readonly code: string;

	constructor(code: string, message: string) {
		super(message);
		this.code = code;
	}
}

/** Tests that every SDK has to pass: one process for each of them. */
export function forEverySdk(define: (guest: Guest) => void): void {
	describe.each(sdks)("%s", (sdk) => {
		const directory = mkdtempSync(join(tmpdir(), "cronium-sdk-"));
		let guest: SdkGuest;
		beforeAll(() => {
			buildSdks(join(directory, "built"));
			guest = startGuest(sdk, join(directory, "built"), directory);
		}, 60_000);
		afterAll(async () => {
			await guest[Symbol.asyncDispose]();
			rmSync(directory, { recursive: true, force: true });
		});
		const perform = async (call: GuestCall): Promise<unknown> => read(await guest.perform(call));
		define({
			sdk,
			directory,
			enter: (environment) => guest.enter(environment),
			call: (name, ...given) => perform({ name, arguments: given }),
			callTogether: (lanes, name, ...given) => perform({ name, arguments: given, lanes, times: 1 }),
		});
	});
}

function read(result: StepResult): unknown {
	if ("error" in result) throw new GuestError(result.error.code, result.error.message);
	return JSON.parse(result.text) as unknown;
}
