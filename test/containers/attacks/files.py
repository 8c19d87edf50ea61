for path in ("/", "/usr/bin", "/etc", "/lib", "/script", "/run/cronium", "/run", "/sys", "/dev", "/proc"):
    attempt(f"make a file in {path}", write(os.path.join(path, "made")))
attempt("change the script", write(sys.argv[0], "x"))
attempt("remove the script", lambda: os.unlink(sys.argv[0]))
attempt("rename the script", lambda: os.rename(sys.argv[0], "/script/other"))
attempt("open the script to all", lambda: os.chmod(sys.argv[0], 0o777))
attempt("change /bin/sh", write("/bin/sh", "x"))
attempt("change /etc/passwd", write("/etc/passwd", "x"))
for name in ("api.sock", "token", "client.key", "client.pem", "ca.pem"):
    path = "/run/cronium/" + name
    attempt(f"remove {name}", lambda path=path: os.unlink(path))
    attempt(f"rename {name}", lambda path=path: os.rename(path, path + "2"))
    attempt(f"put a link in place of {name}", lambda path=path: os.symlink("/work", path))
    attempt(f"put a FIFO in place of {name}", lambda path=path: os.mkfifo(path))
    attempt(f"change {name}", lambda path=path: os.close(os.open(path, os.O_WRONLY)) if name != "api.sock" else write(path)())
    attempt(f"change the mode of {name}", lambda path=path: os.chmod(path, 0o777))
attempt("list the door", lambda: os.listdir("/run/cronium"))
attempt("leave the door", lambda: os.listdir("/run/cronium/../.."))
attempt("hard link to the token", lambda: os.link("/run/cronium/token", "/work/token"))

attempt("sysrq", write("/proc/sysrq-trigger", "b"))
attempt("core_pattern", write("/proc/sys/kernel/core_pattern", "|/work/x"))
attempt("modprobe", write("/proc/sys/kernel/modprobe", "/work/x"))
attempt("ip_forward", write("/proc/sys/net/ipv4/ip_forward", "1"))
attempt("drop_caches", write("/proc/sys/vm/drop_caches", "3"))
attempt("hostname by sysctl", write("/proc/sys/kernel/hostname", "x"))
attempt("oom_score_adj", write("/proc/self/oom_score_adj", "-1000"))
attempt("uid_map", write("/proc/self/uid_map", "0 0 1"))
attempt("kcore", read("/proc/kcore"))
attempt("kmsg of proc", lambda: os.read(os.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK), 16))
attempt("kallsyms", lambda: any(int(line.split()[0], 16) for line in open("/proc/kallsyms")))
attempt("root of init", lambda: os.stat("/proc/1/root/").st_ino == os.stat("/").st_ino and os.path.samefile("/proc/1/root", "/"))

attempt("uevent_helper", write("/sys/kernel/uevent_helper", "/work/x"))
attempt("power state", write("/sys/power/state", "mem"))
attempt("debugfs", lambda: os.listdir("/sys/kernel/debug"))


def control_groups():
    """Anything of a control group that can be written: limits, the agent that the kernel runs as root, another group to go to."""
    written = []
    for directory, _, files in os.walk("/sys/fs/cgroup"):
        try:
            os.mkdir(os.path.join(directory, "made"))
            written.append(directory)
        except OSError:
            pass
        for name in files:
            if name in ("release_agent", "notify_on_release", "cgroup.procs", "tasks", "memory.limit_in_bytes", "memory.max", "pids.max", "cpu.max", "devices.allow", "cpu.cfs_quota_us"):
                try:
                    os.close(os.open(os.path.join(directory, name), os.O_WRONLY))
                    written.append(os.path.join(directory, name))
                except OSError:
                    pass
    return written


attempt("control groups", control_groups)

for name, number in (("mem", os.makedev(1, 1)), ("disk", os.makedev(254, 0)), ("kmsg", os.makedev(1, 11))):
    attempt(f"make the device {name}", lambda number=number: os.mknod("/work/device", 0o600 | 0o060000, number))
for name in ("mem", "kmem", "port", "kmsg", "fuse", "kvm", "net/tun", "vda", "sda", "loop0", "loop-control", "userfaultfd", "vhost-net", "console", "uinput", "snapshot"):
    attempt(f"/dev/{name}", lambda name=name: os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK))


def run_from(directory):
    def run():
        path = os.path.join(directory, "program")
        with open(path, "w") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(path, 0o6755)
        mode = os.stat(path).st_mode
        pid = os.fork()
        if pid == 0:
            try:
                os.execv(path, [path])
            except OSError as error:
                os._exit(error.errno)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return run


attempt("run a program in /tmp", run_from("/tmp"))
attempt("run a program in /dev/shm", run_from("/dev/shm"))
# The working directory is where a script builds what it needs.
attempt("run a program in /work", run_from("/work"))
attempt("temporary files", write("/tmp/made"))
finish()
