import { randomBytes } from "node:crypto";
import { within } from "../../within.ts";
import type { UrlDoors } from "./script-door.ts";
import { NonceFilter, readBehind } from "./session-output.ts";
import { encodeFiles, oneLine, startCommand, unpackFunctions } from "./shell-program.ts";
import type { SshConnection } from "./ssh-connection.ts";

/** How long a host may take to reach the URL; one that takes longer uses the tunnel. In milliseconds. */
const probeMs = 5_000;

/** Asks the URL for its health with what there is on the host, and as the SDKs would: certificates are verified, with those of our own authority where it issues them. */
const probeProgram = oneLine(`
umask 077;
${unpackFunctions}
IFS= read -r _nonce && IFS= read -r _directory && IFS= read -r _url && IFS= read -r _trusted || exit 1;
_ask() {
	if command -v curl; then
		curl -sSf -m 4 -o /dev/null \${_trusted:+--cacert "$_trusted"} "$_url";
	elif command -v python3; then
		python3 -c "import ssl, sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=4, context=ssl.create_default_context(cafile=sys.argv[2] or None))" "$_url" "$_trusted";
	else
		NODE_EXTRA_CA_CERTS=$_trusted node -e "fetch(process.argv[1]).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))" "$_url";
	fi;
};
cd "$_directory" && _unpack && _ask >/dev/null 2>&1 && _said=yes || _said=no;
[ -z "$_trusted" ] || rm -f "$_trusted";
printf "\\n%s %s\\n" "$_nonce" "$_said"`);

/** Finds out, once for each connection, whether its host reaches the URL of the bridge. */
export class UrlProbe {
	readonly #known = new WeakMap<SshConnection, Promise<boolean>>();

	/** `directory` is that of the connection. */
	reaches(connection: SshConnection, directory: string, doors: UrlDoors): Promise<boolean> {
		let known = this.#known.get(connection);
		if (!known) {
			known = probe(connection, directory, doors).catch(() => false);
			this.#known.set(connection, known);
		}
		return known;
	}
}

async function probe(connection: SshConnection, directory: string, { url, trusted }: UrlDoors): Promise<boolean> {
	const session = await connection.exec(startCommand);
	const nonce = randomBytes(16).toString("hex");
	const file = trusted === undefined ? "" : `probe-${nonce}.pem`;
	const lines = [probeProgram, nonce, directory, `${url.replace(/\/+$/, "")}/healthz`, file];
	const files = new Map(trusted === undefined ? [] : [[file, trusted] as const]);
	session.stdin.end(Buffer.concat([Buffer.from(`${lines.join("\n")}\n`), encodeFiles(files)]));
	const filter = new NonceFilter(nonce);
	const nothing = (): boolean => true;
	void readBehind(session.stderr, new NonceFilter(nonce), nothing, nothing);
	await within(readBehind(session.stdout, filter, nothing, nothing), probeMs);
	session.close();
	return filter.line === "yes";
}
