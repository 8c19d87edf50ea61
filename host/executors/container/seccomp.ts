import { createHash } from "node:crypto";

/**
 * The system calls that a run may make, in the form that OCI engines take. Everything else is refused with EPERM. It allows what the engines' own
 * default does for a container without capabilities, less what programs in a run have no use for and kernels had holes in: io_uring, ptrace and the
 * memory of other processes, userfaultfd, file handles, keys, other families of sockets than those below, and every 32-bit call; and
 * what takes from the whole machine: asynchronous I/O, whose contexts are counted for all together (fs.aio-max-nr), and the flush of all disks.
 */
export interface SeccompProfile {
	readonly defaultAction: "SCMP_ACT_ERRNO";
	readonly defaultErrnoRet: number;
	readonly architectures: readonly string[];
	readonly syscalls: readonly SeccompRule[];
}

interface SeccompRule {
	readonly names: readonly string[];
	readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
	readonly errnoRet?: number;
	readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[];
}

const EPERM = 1;
const ENOSYS = 38;

const allowed = {
	processes: `execve execveat exit exit_group fork vfork wait4 waitid getpid getppid gettid getpgid getpgrp getsid setpgid setsid kill tkill
		tgkill pidfd_open pidfd_send_signal prctl arch_prctl set_tid_address set_robust_list get_robust_list rseq membarrier restart_syscall
		getrusage times getcpu getrlimit setrlimit prlimit64 getpriority setpriority ioprio_get ioprio_set process_mrelease`,
	scheduling: `sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam sched_getscheduler
		sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval`,
	// They can only take away; without capabilities no other identity can be had.
	identity: `getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid
		setgroups capget capset seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self umask`,
	memory: `brk mmap munmap mremap mprotect msync madvise mincore mlock mlock2 mlockall munlock munlockall memfd_create pkey_alloc pkey_free
		pkey_mprotect`,
	waiting: `futex futex_waitv futex_wait futex_wake futex_requeue nanosleep clock_nanosleep pause poll ppoll select pselect6 epoll_create
		epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime
		inotify_init inotify_init1 inotify_add_watch inotify_rm_watch`,
	signals: `rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend rt_sigtimedwait sigaltstack`,
	time: `time gettimeofday clock_gettime clock_getres alarm getitimer setitimer timer_create timer_delete timer_settime timer_gettime
		timer_getoverrun`,
	files: `open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek dup dup2
		dup3 fcntl flock ioctl pipe pipe2 splice tee sendfile copy_file_range readahead fadvise64 fallocate truncate ftruncate fsync fdatasync
		sync_file_range`,
	names: `stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir mkdir mkdirat
		rmdir link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown lchown
		fchownat utime utimes utimensat futimesat statfs fstatfs getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr
		fsetxattr removexattr lremovexattr fremovexattr`,
	sockets: `bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown send sendto sendmsg sendmmsg recv recvfrom
		recvmsg recvmmsg`,
	ipc: `shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive
		mq_notify mq_getsetattr`,
	system: `uname sysinfo getrandom`,
} as const;

/** Unix, IPv4 and IPv6. Others, such as vsock, are not confined by a network namespace. */
const socketFamilies = { unix: 1, inet: 2, inet6: 10 } as const;

/** The family of netlink with its protocol `route`, which lists the interfaces. Others tell of the machine's devices and audit, or reach rarely used code. */
const netlinkRoute = { family: 16, protocol: 0 } as const;

/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000;

/** The default personality, and the question which one it is. Others switch off what protects memory, or claim to be another kernel. */
const personalities = [0, 0xffff_ffff] as const;

export const seccompProfile: SeccompProfile = {
	defaultAction: "SCMP_ACT_ERRNO",
	defaultErrnoRet: EPERM,
	// No 32-bit and x32 ones besides them: a process that makes such a call is killed.
	architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
	syscalls: [
		{ names: Object.values(allowed).flatMap((names) => names.split(/\s+/)), action: "SCMP_ACT_ALLOW" },
		...Object.values(socketFamilies).map((family) => onlyIf(["socket", "socketpair"], "SCMP_CMP_EQ", family)),
		{
			names: ["socket"],
			action: "SCMP_ACT_ALLOW",
			args: [
				{ index: 0, value: netlinkRoute.family, op: "SCMP_CMP_EQ" },
				{ index: 2, value: netlinkRoute.protocol, op: "SCMP_CMP_EQ" },
			],
		},
		...personalities.map((personality) => onlyIf(["personality"], "SCMP_CMP_EQ", personality)),
		onlyIf(["clone"], "SCMP_CMP_MASKED_EQ", namespaceFlags, 0),
		// Its flags are in memory, where a filter cannot look. Told that there is no such call, libraries make a thread with clone.
		{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
	],
};

/** Changes when the profile does. */
export const seccompProfileHash = createHash("sha256").update(JSON.stringify(seccompProfile)).digest("hex");

function onlyIf(names: readonly string[], op: string, value: number, valueTwo?: number): SeccompRule {
	return { names, action: "SCMP_ACT_ALLOW", args: [{ index: 0, value, ...(valueTwo !== undefined && { valueTwo }), op }] };
}
