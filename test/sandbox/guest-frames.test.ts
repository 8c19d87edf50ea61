import fc from "fast-check";
import { expect, test } from "vitest";
import { resolveLimits } from "../../host/contract/limits.ts";
import { LogLines } from "../../host/helpers/log-lines.ts";
import { encodeFrame, type Frame, FrameReader } from "../../host/sandbox/guest-frames.ts";
import { LineLimit } from "../../host/sandbox/line-limit.ts";

const text = fc.string({ unit: "binary" });
/** Halves of surrogate pairs included. */
const anyText = fc.oneof(
	text,
	fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);
const anyFrame: fc.Arbitrary<Frame> = fc.record({
	type: fc.nat(255),
	id: fc.nat(0xffffffff),
	number: fc.nat(0xffff),
	head: anyText,
	tail: fc.option(anyText, { nil: undefined }),
});

test("frames arrive as they were sent, however their bytes are cut", () => {
	fc.assert(
		fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.infiniteStream(fc.integer({ min: 1, max: 64 })), (frames, cuts) => {
			const bytes = Buffer.concat(frames.map(encodeFrame));
			const reader = new FrameReader();
			const found: Frame[] = [];
			for (let start = 0; start < bytes.length; ) {
				const end = start + (cuts.next().value as number);
				reader.add(bytes.subarray(start, end));
				for (let frame = reader.next(); frame; frame = reader.next()) found.push(frame);
				start = end;
			}
			expect(found).toEqual(frames);
		}),
	);
});

test("noise is a frame, or none yet, or an error, and never more than was allowed", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
			const reader = new FrameReader(100);
			reader.add(Buffer.from(noise));
			try {
				for (let frame = reader.next(); frame; frame = reader.next()) expect(frame.head.length).toBeLessThanOrEqual(100);
			} catch (error) {
				expect((error as Error).message).toMatch(/^a (?:frame|head) of \d+ bytes/);
			}
		}),
	);
});

test("a log is the same whether long lines were shortened on the way to it or not", () => {
	const limits = resolveLimits({ maxLogLineBytes: 100, maxLogBytes: 5_000 });
	const part = fc.oneof(
		anyText,
		fc.constant("\n"),
		fc.nat(300).map((length) => "ü".repeat(length)),
		fc.nat(300).map((length) => "\n".repeat(length % 3) + "🎈".repeat(length)),
	);
	fc.assert(
		fc.property(fc.array(part), (parts) => {
			const limit = new LineLimit(limits.maxLogLineBytes);
			const [straight, shortened] = [false, true].map((isShortened) => {
				const found: string[] = [];
				const lines = new LogLines(limits, ({ message }) => found.push(message));
				for (const one of parts) lines.print("stdout", isShortened ? limit.take(one) : one);
				lines.flush();
				return found;
			});
			expect(shortened).toEqual(straight);
		}),
	);
});

test("what is sent of a line that never ends is bounded", () => {
	const limit = new LineLimit(1_000);
	let sent = 0;
	for (let count = 0; count < 1_000; count++) sent += limit.take("x".repeat(100)).length;
	expect(sent).toBe(1_001);
});
