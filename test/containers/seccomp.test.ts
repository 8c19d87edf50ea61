import { afterAll, describe, expect, test } from "vitest";
import { connectEngine } from "../../host/executors/container/engine-client.ts";
import { seccompProfile } from "../../host/executors/container/seccomp.ts";
import { imageReference } from "../../host/images/images.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { engineKinds, findTestEngine } from "./engines.ts";
import { options, runContainer } from "./run-container.ts";

/** Numbers of system calls by architecture, in the order x64, arm64, and arguments that would be taken where the call is allowed. */
const calls = {
	unshare: [272, 97, 0x10000000],
	setns: [308, 268, 0, 0],
	mount: [165, 40, 0, 0, 0, 0, 0],
	umount2: [166, 39, 0, 0],
	pivot_root: [155, 41, 0, 0],
	chroot: [161, 51, 0],
	open_tree: [428, 428, 0xffffff9c, 0, 0],
	fsopen: [430, 430, 0, 0],
	bpf: [321, 280, 0, 0, 0],
	keyctl: [250, 219, 0, 0xfffffffd],
	add_key: [248, 217, 0, 0, 0, 0, 0],
	request_key: [249, 218, 0, 0, 0, 0],
	ptrace: [101, 117, 0, 0, 0, 0],
	process_vm_readv: [310, 270, 1, 0, 0, 0, 0, 0],
	pidfd_getfd: [438, 438, 0, 0, 0],
	kcmp: [312, 272, 1, 1, 0, 0, 0],
	perf_event_open: [298, 241, 0, 0, 0xffffffff, 0xffffffff, 0],
	userfaultfd: [323, 282, 0],
	io_uring_setup: [425, 425, 1, 0],
	io_setup: [206, 0, 1, 0],
	sync: [162, 81],
	syncfs: [306, 267, 1],
	open_by_handle_at: [304, 265, 0, 0, 0],
	name_to_handle_at: [303, 264, 0, 0, 0, 0, 0],
	init_module: [175, 105, 0, 0, 0],
	kexec_load: [246, 104, 0, 0, 0, 0],
	reboot: [169, 142, 0, 0, 0, 0],
	swapon: [167, 224, 0, 0],
	quotactl: [179, 60, 0, 0, 0, 0],
	acct: [163, 89, 0],
	syslog: [103, 116, 3, 0, 0],
	"clone with a user namespace": [56, 220, 0x10000011, 0, 0, 0, 0],
	"personality without protection of memory": [135, 92, 0x40000],
} as const;

const attack = `
import ctypes, errno, json, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
calls = json.loads(${JSON.stringify(JSON.stringify(calls))})
index = 0 if platform.machine() == "x86_64" else 1
found = {}
for name, numbers in calls.items():
    ctypes.set_errno(0)
    answer = libc.syscall(numbers[index], *[ctypes.c_ulong(number) for number in numbers[2:]])
    found[name] = "taken" if answer >= 0 else errno.errorcode[ctypes.get_errno()]
ctypes.set_errno(0)
libc.syscall(435, 0, 0)
found["clone3"] = errno.errorcode[ctypes.get_errno()]
found["families"] = []
for family in range(46):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
            found["families"].append(family)
            break
        except OSError as error:
            if error.errno != errno.EPERM: found["families"].append(family); break
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    found["raw"] = "taken"
except OSError as error:
    found["raw"] = errno.errorcode[error.errno]
print(json.dumps(found))
`;

const ordinary = `
import os, socket, subprocess, threading, tempfile, sqlite3, mmap, signal
server = socket.create_server(("127.0.0.1", 0))
thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"over loopback\\n"))
thread.start()
print(socket.create_connection(server.getsockname()).recv(100).decode(), end="")
thread.join()
a, b = socket.socketpair()
a.send(b"x"); b.recv(1)
print(subprocess.run(["/bin/sh", "-c", "echo child | cat"], capture_output=True, text=True).stdout, end="")
with tempfile.NamedTemporaryFile() as file: file.write(b"1"); file.flush(); os.fsync(file.fileno())
db = sqlite3.connect("/work/db"); db.execute("create table t(a)"); db.execute("insert into t values(1)"); db.commit()
mmap.mmap(-1, 4096); signal.setitimer(signal.ITIMER_REAL, 10); signal.setitimer(signal.ITIMER_REAL, 0)
print("done")
`;

describe.each(engineKinds)("%s", async (kind) => {
	const found = await findTestEngine(kind, ["python"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}
	const engine = await connectEngine(found.address);
	const { path: directory, remove } = temporaryDirectory();
	afterAll(async () => {
		await engine[Symbol.asyncDispose]();
		remove();
	});
	const python = async (text: string) => {
		const command = ["python3", "-B", "-"];
		return await runContainer(engine, { ...options(engine, directory, command), image: imageReference("python") }, text);
	};

	test("system calls that no run needs are refused, and sockets of other families", async () => {
		const { stdout, stderr } = await python(attack);
		expect(stderr).toBe("");
		expect(JSON.parse(stdout)).toEqual({
			...Object.fromEntries(Object.keys(calls).map((name) => [name, "EPERM"])),
			// So that libraries make threads with clone.
			clone3: "ENOSYS",
			families: [1, 2, 10, 16],
			raw: "EPERM",
		});
	});

	test("threads, children, sockets, files and a database work", async () => {
		expect(await python(ordinary)).toMatchObject({ code: 0, stdout: "over loopback\nchild\ndone\n", stderr: "" });
	});
});

test("no system call is named twice, and none that is only sometimes allowed is always allowed", () => {
	const always = seccompProfile.syscalls.filter(({ args }) => args === undefined).flatMap(({ names }) => names);
	expect(new Set(always).size).toBe(always.length);
	for (const { names } of seccompProfile.syscalls.filter(({ args }) => args)) expect(always).not.toContain(names[0]);
});
