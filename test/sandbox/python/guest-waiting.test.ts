import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GuestResult } from "../../../host/sandbox/engine.ts";
import { imageTimeoutMs } from "../../python-image.ts";
import type { ScriptRunner } from "../engines/script-runner.ts";
import { createPythonRunner, printedBy, runPython } from "./python-runner.ts";

let runner: ScriptRunner;
beforeAll(async () => {
	runner = await createPythonRunner();
}, imageTimeoutMs);
afterAll(() => runner[Symbol.dispose]());

/** Runs a script that reads `reads` keys whose answers come late, and lets them come when all have been asked for. */
async function runWithLateAnswers(source: string, reads: number): Promise<GuestResult> {
	const result = runPython(runner, `${lateRead}${source}`);
	while (runner.lateReads < reads) await delay(1);
	runner.releaseLateAnswers();
	return result;
}

const lateRead = `
import asyncio, json, time
import _cronium
from _cronium_loop import answer, wait_for
def ask(name): return _cronium.call(2, json.dumps(["late/" + name]), None)
`;

describe("time.sleep", () => {
	test("returns when the time has passed, and not before", async () => {
		const source = `
			import time
			from fractions import Fraction
			for seconds in (0, 0.0, 0.02, 1e-9, True - 1):
			    began = time.monotonic()
			    print(time.sleep(seconds), time.monotonic() - began >= seconds)`;
		expect(await printedBy(runner, source)).toEqual(Array(5).fill("None True"));
	});

	test.each([
		["-1", "ValueError: sleep length must be non-negative"],
		["-0.1", "ValueError: sleep length must be non-negative"],
		["float('nan')", "ValueError: Invalid value NaN (not a number)"],
		["float('inf')", "OverflowError: timestamp too large to convert to C PyTime_t"],
		["10 ** 40", "OverflowError: timestamp too large to convert to C PyTime_t"],
		["'1'", "TypeError: 'str' object cannot be interpreted as an integer"],
		["None", "TypeError: 'NoneType' object cannot be interpreted as an integer"],
	])("of %s is refused as elsewhere", async (seconds, expected) => {
		const { failure } = await runPython(runner, `import time; time.sleep(${seconds})`);
		expect(`${failure?.name}: ${failure?.message}`).toBe(expected);
	});

	test("can be stopped from outside, and costs no processor time", async () => {
		const stop = new Int32Array(new SharedArrayBuffer(4));
		const aborted = new AbortController();
		const running = runPython(runner, "import time\ntry: time.sleep(1000)\nexcept BaseException: print('caught')", {
			stop,
			signal: aborted.signal,
		});
		await delay(50);
		stop[0] = 1;
		aborted.abort();
		const { failure, usage } = await running;
		expect(failure?.code).toBe("cancelled");
		expect(runner.printed).toBe("");
		expect(usage.hostCalls).toBe(1);
	});

	test("is not confused by a script that takes its answers away", async () => {
		const source = `
			import _cronium, json, time
			call = _cronium.call(1000, "[20]", None)
			print(_cronium.wait(True) == (call, ""), _cronium.wait(True), _cronium.wait(False))
			from _cronium_loop import wait_for
			time.sleep(0.01)
			wait_for(call)`;
		const { failure } = await runPython(runner, source);
		expect(runner.printed).toBe("True None None\n");
		expect(failure?.code).toBe("never-settled");
	});

	test("is what waiting for another thread with a time becomes; without a time the run ends", async () => {
		const source = `
			import queue, threading
			print(threading.Event().wait(0.01), threading.Semaphore(0).acquire(timeout=0.01))
			try: queue.Queue().get(timeout=0.01)
			except queue.Empty: print("empty")
			try: queue.SimpleQueue().get(timeout=0.01)
			except queue.Empty: print("empty")
			try: queue.Queue().get()
			except Exception: print("caught")`;
		const { failure } = await runPython(runner, source);
		expect(runner.printed).toBe("False False\nempty\nempty\n");
		expect(failure).toMatchObject({ code: "never-settled", message: expect.stringContaining("no threads in the sandbox") });
	});
});

describe("asyncio", () => {
	test("runs tasks, groups, timeouts, queues, locks and generators", async () => {
		const source = `
			import asyncio
			async def after(ticks, value):
			    await asyncio.sleep(ticks / 100)
			    return value
			async def produce(queue):
			    for number in range(3):
			        await queue.put(number)
			        await asyncio.sleep(0)
			    queue.shutdown()
			async def main():
			    print(await asyncio.gather(after(2, "late"), after(1, "early"), after(0, "now")))
			    print([await done for done in asyncio.as_completed([after(3, "c"), after(1, "a"), after(2, "b")])])
			    try:
			        async with asyncio.timeout(0.01): await asyncio.sleep(100)
			    except TimeoutError: print("timeout")
			    try:
			        async with asyncio.TaskGroup() as group:
			            group.create_task(asyncio.sleep(100))
			            group.create_task(asyncio.sleep(0)).add_done_callback(lambda _: 1 / 0)
			            raise KeyError("x")
			    except* KeyError as group: print(group.exceptions)
			    queue, taken = asyncio.Queue(1), []
			    task = asyncio.create_task(produce(queue))
			    try:
			        while True: taken.append(await queue.get())
			    except asyncio.QueueShutDown: print(taken, task.done())
			    async with asyncio.Lock(), asyncio.Semaphore(1): pass
			    print(await asyncio.wait_for(after(1, "in time"), 5))
			asyncio.run(main())
			with asyncio.Runner() as runner:
			    print(runner.run(after(0, 1)), runner.run(after(0, 2)))
			loop = asyncio.new_event_loop()
			loop.call_later(0.01, loop.stop)
			loop.run_forever()
			loop.close()`;
		expect(await printedBy(runner, source)).toEqual([
			"['late', 'early', 'now']",
			"['a', 'b', 'c']",
			"timeout",
			"(KeyError('x'),)",
			"[0, 1, 2] True",
			"in time",
			"1 2",
		]);
	});

	test("has many answers under way at one time, beside timers and calls that wait", async () => {
		const { failure } = await runWithLateAnswers(
			`
async def main():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1
    ticking = asyncio.create_task(tick())
    waiting = asyncio.gather(*(answer(ask(str(number))) for number in range(50)))
    await asyncio.sleep(0)
    print(wait_for(ask("sync")))
    answers = await waiting
    ticking.cancel()
    print(len(answers), answers[49], ticks >= 0)
asyncio.run(main())`,
			51,
		);
		expect(failure).toBeUndefined();
		expect(runner.printed).toBe('"answer to late/sync"\n50 "answer to late/49" True\n');
	});

	test("forgets the answer of a task that is cancelled", async () => {
		const { failure } = await runWithLateAnswers(
			`
async def main():
    task = asyncio.create_task(answer(ask("a")))
    await asyncio.sleep(0)
    task.cancel()
    print(await asyncio.gather(task, answer(ask("b")), return_exceptions=True))
asyncio.run(main())`,
			2,
		);
		expect(failure).toBeUndefined();
		expect(runner.printed).toBe("[CancelledError(''), '\"answer to late/b\"']\n");
	});

	test("starts a wait of the host for the next timer only, and leaves none behind", async () => {
		const source = `
			import asyncio
			async def main():
			    async with asyncio.timeout(1000):
			        for _ in range(100):
			            async with asyncio.timeout(500): await asyncio.sleep(0)
			        await asyncio.gather(*(asyncio.sleep(0.005) for _ in range(100)))
			asyncio.run(main())`;
		const { failure, usage } = await runPython(runner, source);
		expect(failure).toBeUndefined();
		expect(usage.hostCalls).toBeLessThanOrEqual(5);
	});

	test("ends a run whose tasks wait for what cannot come, and says where", async () => {
		const source = `
			import asyncio
			async def worker(queue):
			    await queue.get()
			async def main():
			    queue = asyncio.Queue()
			    await asyncio.gather(worker(queue), worker(queue))
			try: asyncio.run(main())
			except Exception: print("caught")`;
		const { failure } = await runPython(runner, source);
		expect(runner.printed).toBe("");
		expect(failure).toMatchObject({
			code: "never-settled",
			message:
				"3 tasks wait (orders.py, line 3; orders.py, line 6) for something that cannot come: no timer runs and no call to the host is pending.",
		});
	});

	test.each([
		["asyncio.to_thread(print)", "RuntimeError: The sandbox has no threads"],
		["asyncio.get_running_loop().run_in_executor(None, print)", "RuntimeError: The sandbox has no threads"],
		["asyncio.open_connection('example.com', 80)", "OSError: The sandbox has no sockets"],
		["asyncio.start_server(print, port=80)", "OSError: The sandbox has no sockets"],
		["asyncio.get_running_loop().getaddrinfo('example.com', 80)", "OSError: The sandbox has no sockets"],
		["asyncio.create_subprocess_exec('ls')", "OSError: The sandbox has no processes"],
		["asyncio.create_subprocess_shell('ls')", "OSError: The sandbox has no processes"],
	])("refuses %s and names container mode", async (call, expected) => {
		const { failure } = await runPython(runner, `import asyncio\nasync def main(): await ${call}\nasyncio.run(main())`);
		expect(`${failure?.name}: ${failure?.message}`).toContain(expected);
		expect(failure?.message).toContain("container mode (--in container)");
	});
});
