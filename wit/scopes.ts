/** The rights a run can have, and what each allows. */
export const scopes = {
	"input:read": "Read the input of the run.",
	"output:write": "Set the output of the run.",
	"variables:read": "Read and list variables of the run's namespace.",
	"variables:write": "Write, delete and increment variables of the run's namespace.",
	"condition:read": "Read the condition of the run.",
	"condition:write": "Set the condition of the run.",
	"context:read": "Read the event and the run's own data.",
	"log:write": "Write to the log of the run.",
} as const satisfies Readonly<Record<string, string>>;

export type Scope = keyof typeof scopes;
