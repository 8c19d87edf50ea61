/**
 * Takes from this process what Node's permission model leaves to it: signals and priorities of other processes of the account, and its
 * identity. To be imported before anything else.
 */
import { createRequire, syncBuiltinESMExports } from "node:module";

const os = createRequire(import.meta.url)("node:os") as Record<string, unknown>;

const powers = [
	"kill",
	"_kill",
	"_debugProcess",
	"_debugEnd",
	"setuid",
	"seteuid",
	"setgid",
	"setegid",
	"setgroups",
	"initgroups",
];
for (const name of powers) Reflect.deleteProperty(process, name);
Reflect.deleteProperty(os, "setPriority");
syncBuiltinESMExports();
