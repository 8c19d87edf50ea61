/**
 * Takes from this process what Node's permission model leaves to it: signals and priorities of other processes of the account, its
 * identity, and flags of V8, which make it write files that the model does not know of. To be imported before anything else.
 */
import { createRequire, syncBuiltinESMExports } from "node:module";

const require = createRequire(import.meta.url);

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
Reflect.deleteProperty(require("node:os") as object, "setPriority");
Reflect.deleteProperty(require("node:v8") as object, "setFlagsFromString");
syncBuiltinESMExports();
