import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageTimeoutMs } from "../../python-image.ts";
import type { ScriptRunner } from "../engines/script-runner.ts";
import { createPythonRunner, printedBy, runPython, textFile } from "./python-runner.ts";
import { storedZip } from "./stored-zip.ts";

let runner: ScriptRunner;
beforeAll(async () => {
	runner = await createPythonRunner();
}, imageTimeoutMs);
afterAll(() => runner[Symbol.dispose]());

describe("what the sandbox does not have", () => {
	test.each([
		["import threading; threading.Thread(target=print).start()", "RuntimeError", "no threads"],
		["import threading; threading.Timer(1, print).start()", "RuntimeError", "no threads"],
		["import _thread; _thread.start_new_thread(print, ())", "RuntimeError", "no threads"],
		["from concurrent.futures import ThreadPoolExecutor; ThreadPoolExecutor().submit(print)", "RuntimeError", "no threads"],
		["from concurrent.futures import ProcessPoolExecutor; ProcessPoolExecutor()", "OSError", "no processes"],
		["import multiprocessing; multiprocessing.Pool(2)", "OSError", "no processes"],
		["import subprocess; subprocess.run(['ls'])", "OSError", "no processes"],
		["import subprocess; subprocess.check_output('ls', shell=True)", "OSError", "no processes"],
		["import os; os.system('ls')", "OSError", "no processes"],
		["import posix; posix.system('ls')", "OSError", "no processes"],
		["import os; os.popen('ls')", "OSError", "no processes"],
		["import os; os.fork()", "OSError", "no processes"],
		["import os; os.execv('/bin/sh', ['sh'])", "OSError", "no processes"],
		["import os; os.spawnlp(os.P_WAIT, 'ls', 'ls')", "OSError", "no processes"],
		["import os; os.kill(1, 9)", "OSError", "no processes"],
		["import os; os.pipe()", "OSError", "no processes"],
		["import socket; socket.socket()", "OSError", "no sockets"],
		["import socket; socket.create_connection(('example.com', 80))", "OSError", "no sockets"],
		["import socket; socket.getaddrinfo('example.com', 80)", "OSError", "no sockets"],
		["import socket; socket.gethostbyname('example.com')", "OSError", "no sockets"],
		["import smtplib; smtplib.SMTP('mail.example')", "OSError", "no sockets"],
		["import socketserver; socketserver.TCPServer(('', 80), None)", "OSError", "no sockets"],
		["import select; select.select([], [], [], 1)", "OSError", "no sockets"],
		["import selectors; selectors.DefaultSelector().select(1)", "OSError", "no sockets"],
		["import signal; signal.alarm(5)", "OSError", "no signals"],
		["import signal; signal.setitimer(signal.ITIMER_REAL, 1)", "OSError", "no signals"],
		["import signal; signal.pause()", "OSError", "no signals"],
		["import dbm", "ModuleNotFoundError", "The module dbm is not in the sandbox"],
		["import shelve; shelve.open('/tmp/x')", "ModuleNotFoundError", "The module dbm is not in the sandbox"],
		["import webbrowser", "ModuleNotFoundError", "The module webbrowser is not in the sandbox"],
		["import ssl", "ModuleNotFoundError", "The module ssl is not in the sandbox"],
		["import ctypes", "ModuleNotFoundError", "The module ctypes is not in the sandbox"],
		["import tkinter", "ModuleNotFoundError", "The module tkinter is not in the sandbox"],
		["import curses", "ModuleNotFoundError", "The module curses is not in the sandbox"],
		["import readline", "ModuleNotFoundError", "The module readline is not in the sandbox"],
	])("%s says so, and that container mode has it", async (source, name, message) => {
		const { failure } = await runPython(runner, source);
		expect(failure).toMatchObject({ name, message: expect.stringContaining(message) });
		expect(failure?.message.toLowerCase()).toContain("container mode (--in container)");
	});

	test("is no advice that only Pyodide could follow", async () => {
		const { failure } = await runPython(runner, "import zoneinfo; zoneinfo.ZoneInfo('Mars/Olympus')");
		expect(failure).toMatchObject({
			name: "zoneinfo._common.ZoneInfoNotFoundError",
			message: "'No time zone found with key Mars/Olympus'",
		});
	});

	test("can be prepared for, as everywhere", async () => {
		const source = `
			import importlib.util
			try: import numpy
			except ImportError as error: print(error, error.name)
			print(importlib.util.find_spec("numpy"), importlib.util.find_spec("requests"))
			try: import ssl
			except ImportError: ssl = None
			import urllib.request, smtplib, asyncio, logging.handlers, uuid, getpass, platform, socket
			print(ssl, socket.gethostname(), platform.system())`;
		expect(await printedBy(runner, source)).toEqual(["No module named 'numpy' numpy", "None None", "None localhost Emscripten"]);
	});

	test("native code is refused, beside the script and in a wheel", async () => {
		const files = [
			textFile("native.so", "\0asm"),
			{
				path: "fast-1-py3-none-any.whl",
				content: storedZip({ "fast/__init__.py": "from ._fast import go", "fast/_fast.so": "\0asm" }),
			},
		];
		const { failure } = await runPython(runner, "import native", { files });
		expect(failure).toMatchObject({
			code: "import-error",
			name: "ImportError",
			message: expect.stringContaining("loads no native code (native)"),
		});
		expect((await runPython(runner, "import fast", { files })).failure).toMatchObject({
			code: "import-error",
			message: expect.stringContaining("fast._fast"),
		});
	});

	test("a module of the script's own may have such a name", async () => {
		const files = [textFile("js.py", "A = 1"), textFile("ssl.py", "A = 2"), textFile("resource/__init__.py", "A = 3")];
		expect(await printedBy(runner, "import js, ssl, resource; print(js.A, ssl.A, resource.A)", { files })).toEqual(["1 2 3"]);
	});
});
