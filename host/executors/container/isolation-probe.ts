/**
 * Looks at a container from inside of it, as a run would. It needs nothing but a POSIX shell: files are read, and limits are tried, with what is built in.
 * Its answer is sections of lines, each begun by `##` and a name.
 */
export const isolationProbe = (inodes: number, blocks: number): string => `
section() { printf '## %s\\n' "$1"; }
show() { section "$1"; if [ -r "$2" ]; then while IFS= read -r line || [ -n "$line" ]; do printf '%s\\n' "$line"; done < "$2"; fi; } 2>/dev/null
section shell; echo "$$"
section environment; export -p
for file in status uid_map gid_map mountinfo limits; do show "$file" "/proc/self/$file"; done
show network /proc/net/dev
show hostname /proc/sys/kernel/hostname
c=/sys/fs/cgroup
show memory.max $c/memory.max; show memory.limit_in_bytes $c/memory/memory.limit_in_bytes
show pids.max $c/pids.max; show pids/pids.max $c/pids/pids.max
show cpu.max $c/cpu.max
for d in cpu cpu,cpuacct; do show cpu.cfs_quota_us $c/$d/cpu.cfs_quota_us; show cpu.cfs_period_us $c/$d/cpu.cfs_period_us; done
section writable
while read -r a b c d path rest; do if [ -d "$path" ] && [ -w "$path" ]; then printf '%s\\n' "$path"; fi; done < /proc/self/mountinfo
section written; for path in / /etc /usr /run /script /run/cronium /proc/sys/kernel/hostname; do
  if [ -d "$path" ]; then path=$path/cronium-probe; fi
  if (: > "$path") 2>/dev/null; then printf '%s\\n' "$path"; fi
done
section readable; for path in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats /sys/firmware/memmap/0/type; do
  if (IFS= read -r line < "$path" && [ -n "$line" ]) 2>/dev/null; then printf '%s\\n' "$path"; fi
done
try() {
  section "files $1"; n=0
  while [ "$n" -lt ${inodes * 2} ] && (: > "$1/f$n") 2>/dev/null; do n=$((n+1)); done; echo "$n"
  section "blocks $1"; n=0; block=0123456789abcdef
  while [ "$n" -lt 8 ]; do block=$block$block; n=$((n+1)); done; n=0
  while [ "$n" -lt ${blocks * 2} ] && printf %s "$block" 2>/dev/null >> "$1/f0"; do n=$((n+1)); done; echo "$n"
}
try /work; try /tmp; try /dev/shm
section memory
(x=0123456789abcdef; n=0; while [ "$n" -lt 23 ]; do x=$x$x; n=$((n+1)); done) 2>/dev/null; echo "$?"
`;

/** The sections of an answer by their names. */
export function readProbe(text: string): ReadonlyMap<string, readonly string[]> {
	const sections = new Map<string, string[]>();
	let current: string[] = [];
	for (const line of text.split("\n")) {
		if (line.startsWith("## ")) {
			// What is at one of several places is tried at each.
			const name = line.slice(3);
			current = sections.get(name) ?? [];
			sections.set(name, current);
		} else if (line !== "") current.push(line);
	}
	return sections;
}
