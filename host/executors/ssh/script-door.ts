import type { Duplex } from "node:stream";
import type { Scope } from "../../contract/generated/types.ts";
import type { ServedRun } from "../served-runs.ts";
import type { SshHost } from "./ssh-host.ts";

/** The SSH connection that a run goes through. */
export interface HostLine {
	/** The address of the host at the other end, as this process sees it. */
	readonly remoteAddress: string;
	/** Listens on a Unix socket of the host (mode 0600) until it is disposed of. Its directory has to be there. Rejects when the host refuses it. */
	listen(path: string, onConnection: (stream: Duplex) => void): Promise<AsyncDisposable>;
}

/** Where a run has its door. */
export interface ScriptPlace {
	readonly host: SshHost;
	readonly line: HostLine;
	/** The private directory of the run on the host: made, mode 0700. */
	readonly directory: string;
}

/** How the script of one run reaches its helpers. Disposed of with the run: nothing of it works any more. */
export interface ScriptDoor extends AsyncDisposable {
	/** What the environment of the script has, its token among it: no file and no command line ever has it. Values have one line. */
	readonly environment: Readonly<Record<string, string>>;
	/** Texts that are no secrets, by their names in the directory of the run, which are written before the script starts. */
	readonly files?: Readonly<Record<string, string>>;
}

/** Opens doors of one kind. */
export interface ScriptDoors {
	/** Makes the run's credentials and what they are shown to; resolves when a call can be made. Rejects with RuntimeError. */
	open(run: ServedRun, place: ScriptPlace): Promise<ScriptDoor>;
}

/** Doors of those who come by the public URL. */
export interface UrlDoors extends ScriptDoors {
	/** What scripts are given as `CRONIUM_API_URL`. */
	readonly url: string;
	/** Whom they trust there (PEM); undefined where the operator's certificate is one that everybody trusts. */
	readonly trusted: string | undefined;
}

/** Doors that agents have on their hosts. */
export interface AgentDoors extends ScriptDoors {
	/** What scripts on the host may do through its agent; undefined while no approved agent of it is connected. */
	find(hostName: string): { readonly scopes: readonly Scope[] } | undefined;
}

/** The doors of this process for scripts on SSH hosts, beside the tunnel, which every process has. */
export interface SshDoors {
	url?: UrlDoors;
	agents?: AgentDoors;
}
