import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { BootedPython } from "./booted-python.ts";

// The first use of a module compiles much of Python, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let python: BootedPython;
beforeAll(() => {
	python = new BootedPython();
});
// Python's own state stays, as it does not for a run; nothing of the files does.
beforeEach(() => python.files.reset());

function run(program: string): string[] {
	const printed = python.run(program).trimEnd().split("\n");
	expect(python.files.leftOpen()).toEqual([]);
	return printed;
}

test("nothing is open when Python has started", () => {
	expect(python.files.leftOpen()).toEqual([]);
});

test("pathlib and os make, list, and read files", () => {
	expect(
		run(`
import os, pathlib
p = pathlib.Path("/tmp/a/b"); p.mkdir(parents=True)
(p / "x.txt").write_text("häl"); (p / "ü.bin").write_bytes(b"1" * 100_000)
print(os.getcwd(), sorted(os.listdir(p)), (p / "x.txt").read_text(), len((p / "ü.bin").read_bytes()))
print(sorted(str(e) for e in pathlib.Path("/tmp").rglob("*")), (p / "x.txt").stat().st_size, p.is_dir(), p.exists())
os.chdir(p); print(os.path.getsize("x.txt"), os.path.realpath("../b/./x.txt"))
with open("x.txt", "a+") as f: f.write("!"); f.seek(0); print(f.read())
os.utime("x.txt", (5, 6.25)); print(os.stat("x.txt").st_atime, os.stat("x.txt").st_mtime)
`),
	).toEqual([
		"/script ['x.txt', 'ü.bin'] häl 100000",
		"['/tmp/a', '/tmp/a/b', '/tmp/a/b/x.txt', '/tmp/a/b/ü.bin'] 4 True True",
		"4 /tmp/a/b/x.txt",
		"häl!",
		"5.0 6.25",
	]);
});

test("shutil copies, moves and removes trees, also those with more files than a part of a listing", () => {
	expect(
		run(`
import os, shutil
os.makedirs("/tmp/a/b")
for n in range(200): open(f"/tmp/a/{n}", "w").close()
open("/tmp/a/b/deep", "w").write("x")
shutil.copytree("/tmp/a", "/tmp/c"); shutil.move("/tmp/c", "/tmp/d"); shutil.rmtree("/tmp/a")
print(os.listdir("/tmp"), len(os.listdir("/tmp/d")), open("/tmp/d/b/deep").read())
shutil.rmtree("/tmp/d"); print(os.listdir("/tmp"), shutil.disk_usage("/tmp").used)
`),
	).toEqual(["['d'] 201 x", "[] 0"]);
	expect(python.files.space.usedBytes).toBe(0);
});

test("tempfile makes files and directories, which are gone afterwards", () => {
	expect(
		run(`
import os, tempfile
with tempfile.TemporaryDirectory() as d:
    with tempfile.NamedTemporaryFile(dir=d) as f: f.write(b"x"); f.flush(); print(os.path.getsize(f.name))
    with tempfile.TemporaryFile() as f: f.write(b"xyz"); f.seek(0); print(f.read())
    with tempfile.SpooledTemporaryFile(max_size=2) as f: f.write(b"xyz"); f.seek(1); print(f.read())
print(os.listdir("/tmp"))
`),
	).toEqual(["1", "b'xyz'", "b'yz'", "[]"]);
});

test("archives are written, read and unpacked", () => {
	expect(
		run(`
import os, shutil, zipfile
with zipfile.ZipFile("/tmp/z.zip", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("a/b.txt", "hi" * 1000); z.write("/lib/python314.zip", "lib.zip")
with zipfile.ZipFile("/tmp/z.zip") as z: z.extractall("/tmp/out"); print(z.namelist(), z.testzip())
print(os.path.getsize("/tmp/out/lib.zip") == os.path.getsize("/lib/python314.zip"))
os.mkdir("/tmp/small"); shutil.move("/tmp/out/a", "/tmp/small"); shutil.make_archive("/tmp/small-archive", "gztar", "/tmp/small")
shutil.unpack_archive("/tmp/small-archive.tar.gz", "/tmp/again"); print(len(open("/tmp/again/a/b.txt").read()))
`),
	).toEqual(["['a/b.txt', 'lib.zip'] None", "True", "2000"]);
});

test("sqlite3 keeps a database in a file", () => {
	expect(
		run(`
import os, sqlite3
c = sqlite3.connect("/tmp/x.db"); c.execute("create table t(a, b)")
c.executemany("insert into t values(?, ?)", [(i, "x" * 50) for i in range(5000)]); c.commit()
c.execute("delete from t where a > 100"); c.rollback(); print(c.execute("select count(*) from t").fetchone())
c.execute("delete from t where a > 100"); c.commit(); c.execute("vacuum"); c.close()
c = sqlite3.connect("/tmp/x.db"); print(c.execute("select count(*) from t").fetchone(), c.execute("pragma integrity_check").fetchone()); c.close()
print(os.listdir("/tmp"))
`),
	).toEqual(["(5000,)", "(101,) ('ok',)", "['x.db']"]);
});

test("a module that was written just now is imported", () => {
	expect(
		run(`
import sys; sys.path.insert(0, "/script")
for n in range(20):
    open(f"/script/written_{n}.py", "w").write(f"value = {n}")
    assert __import__(f"written_{n}").value == n
print("imported"); sys.path.remove("/script")
`),
	).toEqual(["imported"]);
});

test("time is UTC and has milliseconds", () => {
	expect(
		run(`
import datetime, time
print(time.tzname, time.timezone, time.gmtime(0)[:], time.gmtime(-1)[:], time.mktime((2024, 2, 29, 1, 2, 3, 0, 0, 0)))
print(datetime.datetime.fromtimestamp(0), time.get_clock_info("monotonic").resolution, time.strftime("%Z %z"), time.time_ns() % 1_000_000)
`),
	).toEqual([
		"('UTC', 'UTC') 0 (1970, 1, 1, 0, 0, 0, 3, 1, 0) (1969, 12, 31, 23, 59, 59, 2, 365, 0) 1709168523.0",
		"1970-01-01 00:00:00 0.001 UTC +0000 0",
	]);
});

test("what cannot be is a clear error", () => {
	expect(
		run(`
import mmap, os, socket
open("/tmp/m", "w").write("x" * 100)
def attempt(call):
    try: print("no error", call())
    except OSError as e: print(type(e).__name__, e.strerror)
attempt(lambda: open("/etc/passwd"))
attempt(lambda: open("/lib/python314.zip", "r+b"))
attempt(lambda: os.mkdir("/home"))
attempt(lambda: os.symlink("/etc", "/tmp/etc"))
attempt(lambda: os.truncate("/tmp/m", 1 << 40))
with open("/tmp/m", "r+b") as f: attempt(lambda: mmap.mmap(f.fileno(), 100))
attempt(os.pipe)
attempt(socket.socket)
attempt(lambda: os.chown("/tmp/m", 0, 0))
attempt(lambda: open("/tmp/full", "wb").write(b"x" * 40_000_000))
attempt(lambda: os.open("/tmp/" + "x" * 256, os.O_CREAT))
print(len(mmap.mmap(-1, 100)), len(os.urandom(100_000)))
`),
	).toEqual([
		"FileNotFoundError No such file or directory",
		"OSError Read-only file system",
		"OSError Read-only file system",
		"PermissionError Operation not permitted",
		"OSError File too large",
		"OSError No such device",
		"OSError Function not implemented",
		"OSError Address family not supported by protocol",
		"PermissionError Operation not permitted",
		"OSError No space left on device",
		"OSError Filename too long",
		"100 100000",
	]);
});
