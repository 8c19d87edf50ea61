import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { type Door, openDoor } from "../http/door.ts";
import { openScriptedServer, value } from "./scripted-server.ts";

// What is the shell's own: its options, its subshells, its processes and its files.

const file = join(import.meta.dirname, "../../guest-sdks/bash/cronium.sh");
let directory: string;
let door: Door;
let environment: Readonly<Record<string, string>>;
beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "cronium-bash-"));
	mkdirSync(join(directory, "tmp"));
	door = await openDoor();
	({ env: environment } = await door.startRun());
});
afterAll(async () => {
	await door[Symbol.asyncDispose]();
	rmSync(directory, { recursive: true, force: true });
});

async function bash(script: string, env: Readonly<Record<string, string>> = environment, input = "") {
	const child = spawn("bash", ["--norc", "-c", `source ${file}\n${script}`], {
		cwd: directory,
		env: { PATH: process.env.PATH ?? "", TMPDIR: join(directory, "tmp"), ...env },
	});
	child.stdin.end(input);
	const [stdout, stderr, status] = await Promise.all([
		text(child.stdout),
		text(child.stderr),
		new Promise<number | null>((resolve) => child.once("close", resolve)),
	]);
	return { stdout, stderr, status };
}

test("has every function of the contract, and the four levels of the log", async () => {
	const names = operations.map(({ sdkName }) => `cronium_${sdkName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`);
	const levels = ["debug", "info", "warn", "error"].map((level) => `cronium_log_${level}`);
	const { stdout } = await bash(`declare -F ${[...names, ...levels].join(" ")}`);
	expect(stdout.trim().split("\n")).toEqual([...names, ...levels]);
});

test("uses nothing that came after Bash 4.4", () => {
	const source = readFileSync(file, "utf8").replace(/^\s*#.*$/gm, "");
	expect(source).not.toMatch(
		/SRANDOM|EPOCHSECONDS|BASH_ARGV0|wait -[a-z]*p|local -I|@[UuLKkPa]\}|\$\{ |\bshopt -s (?:localvar_inherit|assoc_expand_once)/,
	);
	// Where it asks for the time in milliseconds it does without, too.
	expect(source.match(/EPOCHREALTIME/g)?.length).toBe(source.match(/EPOCHREALTIME-|EPOCHREALTIME[%#]/g)?.length);
});

test.each([
	"set -euo pipefail",
	"set -f",
	"set -e; shopt -s nullglob failglob dotglob extglob nocasematch nocaseglob",
	"IFS=e",
	"IFS=",
	"LC_ALL=C",
	"LC_ALL=C.UTF-8; LANG=C.UTF-8",
	"set -T -E; trap : DEBUG ERR RETURN",
	"printf() { echo mine; }; unset -f printf; curl() { echo mine; }; sleep() { echo mine; }; cat() { echo mine; }",
	"declare -i value output name; declare -r path=/nowhere body=1 status=5 text=2",
])("works after `%s`, and changes nothing of it", async (preparation) => {
	const { stdout, stderr, status } = await bash(`${preparation}
before="$-|$(shopt)|$IFS|\${LC_ALL-}|$(set +o)"
cronium_set_variable 'a *[e]E' '{"E":["*","é"]}' >version
cronium_get_variable 'a *[e]E'
cronium_get_variable none
if cronium_get_variable none --required; then echo found; else echo "status $?"; fi
if cronium_set_variable a '{' 2>/dev/null; then echo written; else echo "status $?"; fi
[ "$before" = "$-|$(shopt)|$IFS|\${LC_ALL-}|$(set +o)" ] || echo changed`);
	expect({ stdout, stderr, status }).toEqual({ stdout: '{"E":["*","é"]}\nstatus 1\nstatus 15\n', stderr: "", status: 0 });
});

test("a traced script shows no token and no body", async () => {
	const { stderr, status } = await bash(`set -x
cronium_set_variable traced "$(cronium_string "seen in the call")" >version
value=$(cronium_get_variable traced)
exec 5>trace; BASH_XTRACEFD=5
cronium_increment_variable n >sum
cronium_get_variable traced >value`);
	expect(status).toBe(0);
	const traced = stderr + readFileSync(join(directory, "trace"), "utf8");
	expect(traced).toContain("+ cronium_set_variable traced");
	expect(traced).not.toContain(environment.CRONIUM_EXECUTION_TOKEN);
	expect(traced).not.toMatch(/Bearer|Authorization/);
});

test("a token that was renewed in one subshell is that of the others", async () => {
	await using server = await openScriptedServer();
	const now = Math.floor(Date.now() / 1_000);
	const token = (name: string, iat: number, exp: number): string =>
		[name, Buffer.from(JSON.stringify({ iat, exp })).toString("base64url"), "s"].join(".");
	const renewed = token("renewed", now, now + 1_000);
	server.answer((response, request) =>
		value(request.url === "/v1/token" ? JSON.stringify({ token: renewed, expiresAt: "" }) : "1")(response, request),
	);
	const { stdout, status } = await bash(
		`one=$(cronium_get_input); two=$(cronium_get_input); (cronium_get_input) | cat; cronium_get_input; env | grep -c renewed; ls tmp`,
		{ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token("old", now - 90, now + 10) },
	);
	expect({ stdout, status }).toEqual({ stdout: "1\n1\n0\n", status: 0 });
	expect(server.received.map(({ url }) => url)).toEqual(["/v1/token", ...Array(4).fill("/v1/input")]);
	expect(new Set(server.received.slice(1).map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${renewed}`]));
});

test("leaves no file behind, and none that others can read meanwhile", async () => {
	const { stdout } = await bash('ls "$TMPDIR" | wc -l; stat -L -c "%a %h" "/dev/fd/$_cronium_memory"');
	expect(stdout).toBe("0\n600 0\n");
	expect(readdirSync(join(directory, "tmp"))).toEqual([]);
});

// What somebody can do who has guessed the name of the memory: put a FIFO there, before it is looked for or right afterwards.
test.each([
	["that nobody reads", 'mkfifo "$fifo"'],
	["that somebody reads", 'mkfifo "$fifo"; exec 9<>"$fifo"'],
	["that comes late", 'umask() { mkfifo "$fifo"; exec 9<>"$fifo"; builtin umask "$1"; }'],
])("a FIFO %s gets no token", async (_which, attack) => {
	const { stdout, stderr, status } = await bash(`RANDOM=42; fifo=$TMPDIR/cronium-$BASHPID-$RANDOM$RANDOM
umask() { [[ $_name == "$fifo" ]] && echo guessed; builtin umask "$1"; }
RANDOM=42; source ${file}; unset -f umask
${attack}
RANDOM=42; source ${file}; rm -f "$fifo"
echo "memory: $_cronium_memory"
cronium_set_condition true; cronium_get_condition`);
	expect({ stdout, stderr, status }).toEqual({ stdout: "guessed\nmemory: \ntrue\n", stderr: "", status: 0 });
});

test("works where there is no room for files", async () => {
	const { stdout, status } = await bash("cronium_set_condition true; cronium_get_condition", {
		...environment,
		TMPDIR: "/nowhere",
	});
	expect({ stdout, status }).toEqual({ stdout: "true\n", status: 0 });
});

test("a value comes from standard input, and the script's own is left to it otherwise", async () => {
	const large = JSON.stringify("x".repeat(300_000));
	const { stdout, status } = await bash(
		"cronium_set_variable large - >version; cronium_get_variable large | wc -c",
		environment,
		`${large}\n\n`,
	);
	expect({ stdout: stdout.trim(), status }).toEqual({ stdout: String(large.length + 1), status: 0 });
	const loop = await bash(
		'while read -r line; do cronium_set_output "$line"; done; cronium_get_condition >c; echo "$line done"',
		environment,
		"1\n2\n3\n",
	);
	expect(loop).toMatchObject({ stdout: " done\n", status: 0 });
});

describe.each(["with jq", "without jq"])("%s", (kind) => {
	let path: string;
	beforeAll(() => {
		path = join(directory, kind.replaceAll(" ", "-"));
		mkdirSync(path);
		for (const place of ["/usr/bin", "/bin"])
			for (const name of readdirSync(place)) {
				if (name === "jq" && kind === "without jq") continue;
				try {
					symlinkSync(join(place, name), join(path, name));
				} catch {
					// It is in both places.
				}
			}
	});

	test("texts come back as they went in, short and long", async () => {
		const odd = 'a"b\\c/\b\f\n\r\t\u0001\u007fäß日本\u{1f600}\u2028';
		for (const original of [odd, odd.repeat(2_000), "", " ", "\n\n\n"]) {
			writeFileSync(join(directory, "original"), `${original}x`);
			const { stdout, stderr, status } = await bash(
				`text=$(<original); text=\${text%x}
json=$(cronium_string "$text")
printf '%s' "$json" >json
back=$(cronium_text "$json"; printf x); back=\${back%?x}
[[ $back == "$text" ]] && echo same`,
				{ PATH: path },
			);
			expect({ stdout, stderr, status }).toEqual({ stdout: "same\n", stderr: "", status: 0 });
			expect(JSON.parse(readFileSync(join(directory, "json"), "utf8"))).toBe(original);
		}
	});

	test("members and elements of long texts are found, by jq where there is one", async () => {
		const statuses = join(directory, "jq-statuses");
		const seen = join(directory, `seen-${kind.replaceAll(" ", "-")}`);
		mkdirSync(seen);
		if (kind === "with jq")
			writeFileSync(join(seen, "jq"), `#!/bin/bash\n${path}/jq "$@"; status=$?\necho $status >>${statuses}; exit $status\n`, {
				mode: 0o755,
			});
		writeFileSync(statuses, "");
		const list = Array.from({ length: 150 }, (_, index) => ({ index, text: `a "quoted" {[,:]} ä\n${index}` }));
		const object = { list, 'a "name" $name': { deep: [1] }, nothing: null };
		writeFileSync(join(directory, "object"), JSON.stringify(object));
		const { stdout, stderr, status } = await bash(
			`object=$(<object)
cronium_member "$object" 'a "name" $name'; cronium_member "$object" nothing
cronium_member "$object" none || echo "status $?"
list=$(cronium_member "$object" list)
cronium_elements "$list" >elements`,
			{ PATH: `${seen}:${path}` },
		);
		expect({ stdout, stderr, status }).toEqual({ stdout: '{"deep":[1]}\nnull\nstatus 1\n', stderr: "", status: 0 });
		const elements = readFileSync(join(directory, "elements"), "utf8").trim().split("\n");
		expect(elements.map((element) => JSON.parse(element))).toEqual(list);
		expect(readFileSync(statuses, "utf8")).toBe(kind === "with jq" ? "0\n".repeat(5) : "");
	});

	test("a text with what other languages escape is read", async () => {
		const { stdout } = await bash(
			String.raw`cronium_text '"\u00e4\ud83d\ude00\/\u000a\"\\"'; cronium_text 12; cronium_text '{"a":1}'`,
			{ PATH: path },
		);
		expect(stdout).toBe('ä\u{1f600}/\n"\\\n12\n{"a":1}\n');
	});

	test.each([
		["cronium_text '\"\\u0000\"'", 15, "cronium: invalid: the text has a NUL character, which Bash cannot hold.\n"],
		["cronium_text '\"\\ud800\"'", 15, "cronium: invalid: the text has a lone surrogate (half of a character).\n"],
		["cronium_text '\"open'", 15, "cronium: invalid: the text is not JSON.\n"],
		["cronium_number 0x10", 15, "cronium: invalid: the number must be a number; it is 0x10.\n"],
		["cronium_member '[1]' a", 15, "cronium: invalid: the value is no JSON object.\n"],
		['cronium_member \'{"a":1,"a":2}\' a', 15, 'cronium: invalid: the object has the member "a" twice.\n'],
		["cronium_elements '{}'", 15, "cronium: invalid: the value is no JSON list.\n"],
	])("refuses %s", async (command, status, stderr) => {
		expect(await bash(command, { PATH: path })).toEqual({ stdout: "", stderr, status });
	});
});

// The parser reads long texts through a window of 2,048 characters: nothing may depend on where it ends.
test("a text is taken apart in the same way wherever its tokens are", async () => {
	const tokens = [
		'"a\\"é\\u00e9\\ud83d\\ude00\\\\"',
		"-12.5e+10",
		"true",
		'{"b\\u0062":[null]}',
		'"\\\\"',
		"7".repeat(5_000),
		'""',
	];
	const { stdout, stderr, status } = await bash(
		`parse() { local LC_ALL=C; _cronium_parse "$1" || echo "$2: $_cronium_problem"; }
for ((length = 1960; length < 2060; length++)); do
	printf -v space "%\${length}s" ""
	parse "[$space$tokens$space]" "$length"
	[[ "\${_cronium_values[*]}" == "$expected" ]] || echo "$length: \${_cronium_values[*]}"
	parse "[$quote$space$half$other$quote,1]" "$length"
	((\${#_cronium_values[@]} == 2)) || echo "$length: text"
	LC_ALL=C _cronium_parse "[$quote$space$half$quote,1]" && echo "$length: half a character"
	LC_ALL=C _cronium_parse "[$quote$space" && echo "$length: no end"
done; :`,
		{ ...environment, tokens: tokens.join(","), expected: tokens.join(" "), quote: '"', half: "\\ud83d", other: "\\ude00" },
	);
	expect({ stdout, stderr, status }).toEqual({ stdout: "", stderr: "", status: 0 });
});

test.each([
	["cronium_get_variable", "usage: cronium_get_variable KEY"],
	["cronium_get_variable a b", "there is an argument too much; usage: cronium_get_variable KEY"],
	["cronium_set_variable a", "usage: cronium_set_variable KEY VALUE"],
	["cronium_set_variable a 1 --if-version", "--if-version needs a value"],
	["cronium_set_variable a 1 --force", "there is no option --force"],
	["cronium_list_variables --required", "--required and --text are for values"],
])("`%s` is a wrong use: status 2", async (command, message) => {
	const { status, stderr } = await bash(command);
	expect(status).toBe(2);
	expect(stderr).toContain(`cronium: invalid: ${message}`);
});

test("arguments that look like options are arguments where they must be", async () => {
	const { stdout, status } = await bash(
		"cronium_set_variable --required 1 >v; cronium_get_variable --required; cronium_get_variable -- --text",
	);
	expect({ stdout, status }).toEqual({ stdout: "1\n", status: 0 });
});

test("says what is wrong in variables, too", async () => {
	const { stdout } = await bash(`cronium_set_variable v 1 >v
cronium_set_variable v 2 --if-version none 2>errors; echo "$? $CRONIUM_ERROR_CODE $([[ $CRONIUM_CURRENT_VERSION == "$(<v)" ]] && echo same)"
cronium_get_variable "$(printf 'k%.0s' {1..256})" 2>errors; echo "$? $CRONIUM_ERROR_CODE $CRONIUM_ERROR_LIMIT$CRONIUM_CURRENT_VERSION"
cronium_get_variable v; echo "$? $CRONIUM_ERROR_CODE$CRONIUM_ERROR_LIMIT"`);
	expect(stdout).toBe("13 conflict same\n15 invalid maxKeyCharacters\n1\n0 \n");
});

test("without curl it says so", async () => {
	const path = join(directory, "no-curl");
	mkdirSync(path);
	for (const name of ["rm", "cat"]) symlinkSync(`/bin/${name}`, join(path, name));
	const child = await bash(`PATH=${path}; cronium_get_input`);
	expect(child).toEqual({
		stdout: "",
		stderr: "cronium: unsupported: the Bash SDK needs curl, which is not installed.\n",
		status: 22,
	});
});

test("says in words why the runtime cannot be reached", async () => {
	await using server = await openScriptedServer();
	const given = { CRONIUM_EXECUTION_TOKEN: "token" };
	for (const [url, reason] of [
		// No resolver is asked for a label of more than 63 characters.
		[`https://${"a".repeat(64)}.invalid`, "its name has no address (curl ended with 6)"],
		["http://127.0.0.1:1", "nothing takes connections there (curl ended with 7)"],
		[server.url.replace("http:", "https:"), "the TLS handshake failed (curl ended with 35)"],
	] as const) {
		const { stderr } = await bash("cronium_get_input", { ...given, CRONIUM_API_URL: url });
		expect(stderr).toBe(`cronium: unavailable: The runtime cannot be reached: ${reason}.\n`);
	}
	const { stderr } = await bash("cronium_get_input", { ...given, CRONIUM_SOCKET: "/nowhere" });
	expect(stderr).toContain("reached through the socket /nowhere: nothing takes connections there (curl ended with 7).");
}, 60_000);

test("a .curlrc, a .netrc and proxies of the account are not used", async () => {
	const home = join(directory, "home");
	mkdirSync(home);
	writeFileSync(join(home, ".curlrc"), 'proxy = "http://127.0.0.1:1"\nheader = "X-From: curlrc"\noutput = "stolen"\n');
	writeFileSync(join(home, ".netrc"), "default login a password b\n");
	const { stdout, status } = await bash("cronium_set_condition true && cronium_get_condition", {
		...environment,
		HOME: home,
		http_proxy: "http://127.0.0.1:1",
		ALL_PROXY: "http://127.0.0.1:1",
	});
	expect({ stdout, status }).toEqual({ stdout: "true\n", status: 0 });
});
