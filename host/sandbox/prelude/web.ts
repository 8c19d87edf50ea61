import { AbortController, AbortSignal } from "./abort.ts";
import { atob, btoa } from "./base64.ts";
import { Blob, File } from "./blob.ts";
import { performance } from "./clock.ts";
import { console } from "./console.ts";
import { crypto } from "./crypto.ts";
import { CustomEvent, Event, EventTarget } from "./events.ts";
import { fail } from "./failure.ts";
import { fetch } from "./fetch.ts";
import { Headers } from "./headers.ts";
import { Request } from "./request.ts";
import { Response } from "./response.ts";
import { structuredClone } from "./structured-clone.ts";
import { TextDecoder, TextEncoder } from "./text-encoding.ts";
import { timerFunctions } from "./timers.ts";
import { URL } from "./url.ts";
import { URLSearchParams } from "./url-search-params.ts";

// The globals of the web platform; DOMException is the engine's. Written for this place rather than taken from core-js: its URL,
// URLSearchParams and structuredClone alone double the memory image that every run is started from, and the time to make it.

const functions = { ...timerFunctions, atob, btoa, fetch, reportError: fail, structuredClone };
const classes = {
	AbortController,
	AbortSignal,
	Blob,
	CustomEvent,
	Event,
	EventTarget,
	File,
	Headers,
	Request,
	Response,
	TextDecoder,
	TextEncoder,
	URL,
	URLSearchParams,
};

/** Gives a value the name that minifying took from it. */
function rename(value: object, name: string): void {
	Object.defineProperty(value, "name", { value: name, configurable: true });
}

/** Makes the members globals as the platform does: writable and configurable, not enumerable. */
function publish(members: Record<string, unknown>): void {
	for (const name of Object.keys(members))
		Object.defineProperty(globalThis, name, { value: members[name], writable: true, configurable: true, enumerable: false });
}

for (const [name, value] of Object.entries({ ...functions, ...classes })) rename(value, name);
for (const [name, { prototype }] of Object.entries(classes)) {
	Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
	for (const member of Object.getOwnPropertyNames(prototype))
		if (member !== "constructor") Object.defineProperty(prototype, member, { enumerable: true });
}
for (const [name, method] of Object.entries(console)) rename(method, name);

publish({ ...functions, ...classes, console, crypto, performance, self: globalThis });
