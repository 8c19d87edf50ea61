import { afterEach, describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { leastScopes, reaches } from "../../host/executors/ssh/ssh-host.ts";
import { openSshDoors } from "../conformance/ssh-door-server.ts";
import { openSshRuns } from "../ssh/ssh-runs.ts";
import { sshdObstacle } from "../ssh/sshd.ts";

/** Every one tries what runs on SSH hosts may not do when nobody says otherwise, and its output is what it was answered. */
const scripts: Readonly<Record<string, string>> = {
	"attempts.js": `import { deleteVariable, incrementVariable, setVariable } from "cronium";
const attempts = { setVariable: () => setVariable("a", 2), deleteVariable: () => deleteVariable("a"), incrementVariable: () => incrementVariable("a") };
const answers = {};
for (const [name, attempt] of Object.entries(attempts))
	answers[name] = await attempt().then(() => "done", ({ code, message }) => \`\${code}: \${message}\`);
export default () => answers;`,
	"attempts.py": `import cronium
answers = {}
for name, attempt in {
    "setVariable": lambda: cronium.set_variable("a", 2),
    "deleteVariable": lambda: cronium.delete_variable("a"),
    "incrementVariable": lambda: cronium.increment_variable("a"),
}.items():
    try:
        attempt()
        answers[name] = "done"
    except cronium.RuntimeError as error:
        answers[name] = f"{error.code}: {error.message}"
cronium.set_output(answers)`,
	"attempts.sh": `. cronium.sh
attempt() {
	local name=$1 said=done
	shift
	"$@" >/dev/null 2>"$TMPDIR/said" || said=$(<"$TMPDIR/said")
	answers+=("\\"$name\\":\\"\${said#cronium: }\\"")
}
attempt setVariable cronium_set_variable a 2
attempt deleteVariable cronium_delete_variable a
attempt incrementVariable cronium_increment_variable a
cronium_set_output "{$(IFS=,; echo "\${answers[*]}")}"`,
};

const refused = operations.filter(({ scope }) => !leastScopes.includes(scope));
const advice =
	"On an SSH host its scopes in hosts.toml, --scope of the run, or an agent of the host that was invited with it allow it.";

describe.skipIf(sshdObstacle() !== undefined).each(reaches)("what a script may not do on an SSH host by %s", (reach) => {
	const opened = new AsyncDisposableStack();
	afterEach(() => opened.disposeAsync());

	test(`is ${reach === "agent" ? "done, because it has its rights from the agent" : "denied, and it is told what would allow it"}`, async () => {
		const runs = opened.use(await openSshRuns({ members: { reach } }));
		opened.use(await openSshDoors(reach, runs));
		for (const [name, source] of Object.entries(scripts)) {
			await runs.host.variables("default").set("a", "1");
			const outcome = await runs.run(name, source);
			expect(outcome, name).toMatchObject({ status: "succeeded" });
			const message = (operation: (typeof refused)[number]): string =>
				`denied: ${operation.id} needs the scope ${operation.scope}, which this run does not have. ${advice}`;
			const answers = refused.map((one) => [one.sdkName, reach === "agent" ? "done" : message(one)]);
			expect(outcome.output, name).toEqual(Object.fromEntries(answers));
			// What is denied has not happened: with the rights, the last of them starts anew.
			expect(await runs.host.variables("default").get("a"), name).toBe("1");
		}
	});
});
