// Lives as a host of the data directory until it is killed; prints its id, or why the role was refused. Arguments: data directory, role.
import { lockExclusive } from "../../host/store/exclusive-role.ts";
import { claimHost } from "../../host/store/hosts.ts";

const [directory = "", role] = process.argv.slice(2);
const host = await claimHost(directory);
try {
	if (role) await lockExclusive(directory, role, host);
	process.stdout.write(`${host.id}\n`);
} catch (error) {
	process.stdout.write(`refused: ${(error as Error).message}\n`);
}
setInterval(() => {}, 1_000);
