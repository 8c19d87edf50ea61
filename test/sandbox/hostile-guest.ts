/** A guest process that has been taken over: the source of a run is the name of what it does. It is started as an honest one is. */
import "../../host/sandbox/confined.ts";
import { writeSync } from "node:fs";
import { operations } from "../../host/contract/generated/operations.ts";
import { encodeFrame, type Frame, guestFrames, hostFrames } from "../../host/sandbox/guest-frames.ts";
import { GuestLine } from "../../host/sandbox/guest-line.ts";

const frame = (type: number, head = "", more: Partial<Frame> = {}): Frame => ({ type, id: 1, number: 0, head, ...more });
const numberOf = (id: string): number => operations.findIndex((operation) => operation.id === id);
const usage = '"usage":{"cpuTimeMs":1,"memoryBytes":1,"hostCalls":1}';
const end = (returned?: string): void => line.say(frame(guestFrames.ended, `{${usage}}`, { tail: returned }));

/** All of it, however slowly it is taken. */
function write(bytes: Buffer): void {
	for (let start = 0; start < bytes.length; ) start += writeSync(3, bytes, start);
}

const deeds: Record<string, () => void> = {
	"is honest": () => end(JSON.stringify("honest")),
	"sends noise": () => write(Buffer.alloc(100_000, 0xa5)),
	"announces a frame without end": () => write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1])),
	"sends a frame that is too short": () => write(Buffer.from([1, 0, 0, 0, 1])),
	"lies about a length": () => {
		const bytes = encodeFrame(frame(guestFrames.print, "text"));
		bytes.writeUInt32LE(1_000_000, 12);
		write(bytes);
	},
	"says what only a host says": () => line.say(frame(99)),
	"is ready twice": () => line.say(frame(guestFrames.ready)),
	"ends with a result that is none": () => line.say(frame(guestFrames.ended, "null")),
	"ends with a result that is not JSON": () => line.say(frame(guestFrames.ended, "{")),
	"ends with a failure of its own making": () =>
		line.say(frame(guestFrames.ended, `{${usage},"failure":{"code":"__proto__","message":"x"}}`)),
	"ends with amounts that are none": () =>
		line.say(frame(guestFrames.ended, '{"usage":{"cpuTimeMs":-1,"memoryBytes":1,"hostCalls":1e999}}')),
	...Object.fromEntries(
		["256", "-1", "0.5", '"0"'].map((code) => [
			`ends with the exit code ${code}`,
			() => line.say(frame(guestFrames.ended, `{${usage},"exitCode":${code}}`)),
		]),
	),
	"ends with an exit code": () =>
		line.say(frame(guestFrames.ended, `{${usage},"exitCode":7,"failure":{"code":"script-error","message":"x"}}`)),
	"ends with a value that is not JSON": () => end("{nonsense"),
	"prints more than fits": () => line.say(frame(guestFrames.print, "\n".repeat(10_000_000))),
	exits: () => process.exit(3),
	aborts: () => process.abort(),
	"says nothing and does not stop": () => {
		for (;;);
	},
	"acts after its end": () => {
		const late = frame(guestFrames.call, "=late", { number: numberOf("variables.set"), tail: "1" });
		write(Buffer.concat([encodeFrame(frame(guestFrames.ended, `{${usage}}`)), encodeFrame(late)]));
	},
	"makes calls that do not exist": () => {
		const answers = [numberOf("log.write") + 1_000, 65_535].map(
			(number) => line.ask(frame(guestFrames.call, "[]", { number })).head,
		);
		answers.push(line.ask(frame(guestFrames.call, "[[[", { number: numberOf("variables.get") })).head);
		answers.push(
			line.ask(
				frame(guestFrames.call, '["k",{"__proto__":1,"namespace":"other"}]', { number: numberOf("variables.set"), tail: "1" }),
			).head,
		);
		answers.push(line.ask(frame(guestFrames.fetch, '["http://127.0.0.1/","GET",[],"follow"]')).head);
		answers.push(line.ask(frame(guestFrames.call, "[]", { number: numberOf("io.get-input") })).head);
		end(JSON.stringify(answers.map((answer) => /"code":"([a-z-]+)"/.exec(answer)?.[1] ?? answer)));
	},
	"makes more calls than it may": () => {
		const call = frame(guestFrames.call, "[]", { number: numberOf("condition.get") });
		let refused = 0;
		for (let count = 0; count < 2_000; count++) if (line.ask(call).head.includes("maxHostCalls")) refused++;
		end(String(refused));
	},
	"asks for much and takes nothing": () => {
		const call = encodeFrame(frame(guestFrames.call, "=large", { number: numberOf("variables.get") }));
		for (;;) write(call);
	},
	"writes without waiting": () => {
		const call = encodeFrame(frame(guestFrames.call, "=k", { number: numberOf("variables.set"), tail: "1" }));
		for (;;) write(call);
	},
	"prints without waiting": () => {
		const print = encodeFrame(frame(guestFrames.print, "x".repeat(10_000)));
		for (;;) write(print);
	},
};

const line = new GuestLine(({ type, tail }) => {
	if (type === hostFrames.run) deeds[tail ?? ""]?.();
});
line.say(frame(guestFrames.ready));
