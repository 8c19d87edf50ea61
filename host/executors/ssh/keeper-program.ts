import { oneLine, unpackFunctions } from "./shell-program.ts";

/** In the environment of everything that a run starts: `<directory of the connection>/<name of the run>`. */
export const runMark = "CRONIUM_REMOTE_RUN";

/**
 * Owns the runs of one connection on their host: it makes their directories, ends their processes, and removes what is left of them. It does so for all of them when its input ends,
 * when nothing has come over it for so many seconds, and for each when its seconds are over. Seconds are counted here, so that clocks need not agree.
 *
 * Two processes, so that one that waits for a line does not miss the time; each ends what there is when the other one has been killed. What belongs to a run is its
 * process group, and whatever has its mark in the environment that it was started with. Files that have to change are written over and not made anew: a full disk is no reason to
 * end runs.
 */
export const keeperProgram = oneLine(`
umask 077;
trap "" HUP INT QUIT PIPE TERM;
${unpackFunctions}
_say() { printf "%s\\n" "$*"; };
_clear() {
	_tries=$#;
	while [ "$_tries" -gt 0 ]; do
		set -- "$@" -e "${runMark}=$1";
		shift;
		_tries=$((_tries - 1));
	done;
	while [ "$_tries" -lt 100 ]; do
		_found=$(grep -lsF "$@" /proc/[0-9]*/environ 2>/dev/null);
		[ -n "$_found" ] || break;
		for _each in $_found; do
			_each=\${_each#/proc/};
			kill -KILL "\${_each%/environ}" 2>/dev/null;
		done;
		_tries=$((_tries + 1));
		[ "$_tries" -lt 2 ] || sleep 0.05 2>/dev/null || sleep 1;
	done;
};
_group() {
	_pid=;
	{ read -r _pid <"$1.pid"; } 2>/dev/null;
	case $_pid in "" | *[!0-9]*) return 1 ;; esac;
	[ "$_pid" -gt 1 ];
};
_remove() {
	rm -rf "$@" 2>/dev/null && return;
	chmod -R u+rwX "$@" 2>/dev/null;
	rm -rf "$@" 2>/dev/null;
};
_end() {
	for _run in "$@"; do
		! _group "$_run" || kill -KILL "-$_pid" 2>/dev/null;
		set -- "$@" "$_name/$_run";
		shift;
	done;
	_clear "$@";
	for _run in "$@"; do
		_run=\${_run##*/};
		set -- "$@" "$_run" "$_run.pid" "$_run.left";
		shift;
	done;
	_remove "$@";
};
_finish() {
	for _each in *.pid; do
		! _group "\${_each%.pid}" || kill -KILL "-$_pid" 2>/dev/null;
	done;
	_clear "$_name/";
	cd /;
	_remove "$_top";
};
IFS= read -r _nonce && IFS= read -r _given && IFS= read -r _name && IFS= read -r _family && IFS= read -r _silence || exit 125;
printf "%s\\n" "$_nonce" >&2;
printf "\\n%s\\n" "$_nonce";
if [ -n "$_given" ]; then set -- "$_given"; else set -- "\${TMPDIR:-/tmp}" /tmp "$HOME"; fi;
_top=;
_reasons=;
for _base in "$@"; do
	case $_base in /*) ;; *) continue ;; esac;
	_top=\${_base%/}/$_name;
	_reason=$({ mkdir -m 700 "$_top" && mkdir "$_top/sdk" && echo 0 >"$_top/beat"; } 2>&1) && break;
	{ rm -f "$_top/beat"; rmdir "$_top/sdk" "$_top"; } 2>/dev/null;
	_reasons="$_reasons $_reason";
	_top=;
done;
set -f;
[ -n "$_top" ] || { _say unusable $_reasons; exit 1; };
set +f;
for _base in "$@"; do
	for _each in "\${_base%/}/$_family"*; do
		[ ! -d "$_each" ] || [ -h "$_each" ] || [ ! -O "$_each" ] || [ "$_each" = "$_top" ] || _say left "$_each";
	done;
done;
cd "$_top" && _top=$(pwd -P) || exit 1;
_main=$$;
_parent=$PPID;
(
	_last=;
	_silent=0;
	_lost=;
	while sleep 1; do
		kill -0 "$_main" 2>/dev/null || break;
		[ -e beat ] || break;
		_seen=;
		{ read -r _seen <beat; } 2>/dev/null;
		if [ "$_seen" = "$_last" ]; then _silent=$((_silent + 1)); else _silent=0; _last=$_seen; fi;
		[ "$_silent" -lt "$_silence" ] || { _lost=1; break; };
		for _each in *.left; do
			_left=;
			{ read -r _left <"$_each"; } 2>/dev/null;
			case $_left in "" | *[!0-9]*) continue ;; esac;
			[ -d "\${_each%.left}" ] || { rm -f "$_each"; continue; };
			if [ "$_left" -gt 0 ]; then echo "$((_left - 1))" 1<>"$_each"; else _end "\${_each%.left}"; fi;
		done;
	done;
	_finish;
	kill -KILL "$_main" 2>/dev/null;
	[ -z "$_lost" ] || kill "$_parent" 2>/dev/null;
) </dev/null &
_watcher=$!;
_say ready "$_top";
_beats=0;
while IFS= read -r _line; do
	_beats=$((_beats + 1));
	echo "$_beats" 1<>beat;
	set -f;
	set -- $_line;
	set +f;
	case $1 in
	beat)
		jobs >/dev/null 2>&1;
		kill -0 "$_watcher" 2>/dev/null || break;
		;;
	sdk)
		{ mkdir -p "sdk/$2" && cd "sdk/$2" && _unpack && cd "$_top"; } || { cd "$_top"; _remove "sdk/$2"; };
		while IFS= read -r _line && [ "$_line" != "$_nonce" ]; do :; done;
		;;
	make)
		if cp -R "sdk/$2" "$3"; then _say made "$3"; else _remove "$3"; _say failed "$3"; fi;
		;;
	watch)
		echo "$3" >"$2.left";
		;;
	signal)
		! _group "$2" || kill "-$3" "-$_pid" 2>/dev/null || kill "-$3" "$_pid" 2>/dev/null;
		;;
	end)
		shift;
		( _end "$@"; for _run in "$@"; do _say ended "$_run"; done ) </dev/null &
		;;
	sweep)
		( _path=\${_line#sweep }; _clear "\${_path##*/}/"; _remove "$_path"; _say swept "$_path" ) </dev/null &
		;;
	esac;
done;
kill -KILL "$_watcher" 2>/dev/null;
_finish`);
