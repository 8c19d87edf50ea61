import { createHash, randomBytes } from "node:crypto";
import { type ControlAction, describeAction } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import { excerpt } from "../host/contract/excerpt.ts";
import type { Scope } from "../host/contract/generated/types.ts";
import { layout } from "../host/layout.ts";
import type { Store, StoreChange, StoreEntry, StoreOperation, StoreTransaction } from "../host/store/store.ts";

/** An agent of an SSH host, as it is in the store. */
export interface Agent {
	readonly id: string;
	/** The host that it was invited for, by its name in `hosts.toml`. */
	readonly host: string;
	/** `pending`: an operator has to approve it before it gets anything. `revoked`: it gets nothing any more. */
	readonly state: "pending" | "approved" | "revoked";
	/** What scripts may do through it. */
	readonly scopes: readonly Scope[];
	/** Milliseconds since the Unix epoch. */
	readonly joinedAt: number;
	/** From where. */
	readonly address: string;
}

/** What somebody may join with once. */
export interface Invitation {
	/** Tells it from others. Nothing can be done with it. */
	readonly id: string;
	readonly host: string;
	readonly scopes: readonly Scope[];
	/** Whether who joins with it is approved at once. */
	readonly isApproved: boolean;
	/** Milliseconds since the Unix epoch. */
	readonly expiresAt: number;
}

export interface InvitationTerms {
	readonly host: string;
	readonly scopes: readonly Scope[];
	readonly isApproved: boolean;
	readonly lifetimeMs: number;
}

/** Revoked agents are told of for so long; one that is not known is refused as well. */
const revokedForMs = 30 * 24 * 60 * 60_000;
const maxListed = 10_000;
const maxAttempts = 10;

/**
 * The agents of a data directory and those who are invited, whichever process asks: every change is one transaction that checks what it was decided on, with
 * its entry in the audit log.
 */
export class AgentRegistry {
	readonly #store: Store;

	constructor(store: Store) {
		this.#store = store;
	}

	/** Invites an agent for a host. The secret is kept nowhere. Throws `conflict` when it is to be approved at once and the host has an approved one. */
	async invite({ host, scopes, isApproved, lifetimeMs }: InvitationTerms): Promise<Invitation & { readonly secret: string }> {
		requireHostName(host);
		if (isApproved) {
			const holder = await this.#agentOf(host);
			if (holder !== undefined) throw occupied(host, holder);
		}
		const secret = randomBytes(32).toString("base64url");
		const expiresAt = Date.now() + lifetimeMs;
		const invitation = { host, scopes, isApproved, expiresAt };
		const hash = hashOf(secret);
		const value = JSON.stringify(invitation);
		await this.#commit({
			operations: [{ type: "set", key: layout.invitation(hash), value, expiresAt }],
			audit: [entry("agents.invite", "operator", host, invitationId(hash))],
		});
		return { id: invitationId(hash), ...invitation, secret };
	}

	/** Whether an invitation with this secret is open. */
	async isInvited(secret: string): Promise<boolean> {
		return (await this.#invitation(secret)) !== undefined;
	}

	/** Makes an agent of whoever has the secret of an invitation, which is worth nothing from then on. Throws `unauthenticated`. */
	async join(secret: string, address: string): Promise<Agent> {
		const key = layout.invitation(hashOf(secret));
		for (let attempt = 0; attempt < maxAttempts; attempt++) {
			const found = await this.#invitation(secret);
			if (!found) break;
			const { host, scopes, isApproved } = found;
			const isFree = (await this.#agentOf(host)) === undefined;
			const state = isApproved && isFree ? "approved" : "pending";
			const id = randomBytes(10).toString("hex");
			const agent: Agent = { id, host, state, scopes, joinedAt: Date.now(), address };
			const joined = await this.#commit({
				checks: [
					{ key, version: found.version },
					...(state === "approved" ? [{ key: layout.agentOfHost(host), is: "absent" as const }] : []),
				],
				operations: [
					{ type: "delete", key },
					{ type: "set", key: layout.agent(id), value: JSON.stringify(agent) },
					...(state === "approved" ? [{ type: "set" as const, key: layout.agentOfHost(host), value: id }] : []),
				],
				audit: [entry("agents.join", "agent", host, id)],
			});
			if (joined) return agent;
		}
		throw new RuntimeError(
			"unauthenticated",
			"The join token has been used, has expired or was revoked: cronium agents invite makes another one.",
		);
	}

	async get(id: string): Promise<Agent | undefined> {
		const found = await this.#store.get(layout.agent(id));
		return found && readAgent(found);
	}

	/** By host, those that joined first before the others. */
	async list(): Promise<readonly Agent[]> {
		const entries = await this.#store.list({ prefix: layout.agents, limit: maxListed });
		return entries.map(readAgent).sort((a, b) => compare(a.host, b.host) || a.joinedAt - b.joinedAt);
	}

	/** The invitations that nobody has used yet. */
	async invitations(): Promise<readonly Invitation[]> {
		const entries = await this.#store.list({ prefix: layout.invitations, limit: maxListed });
		return entries.map((found) => {
			const read = JSON.parse(found.value) as Omit<Invitation, "id">;
			return { id: invitationId(String(found.key.at(-1))), ...read };
		});
	}

	/** Approves an agent: its id, or the name of a host with one that is pending. Throws `not-found`, or `conflict` when the host has an approved one. */
	async approve(name: string): Promise<Agent> {
		return await this.#change(name, "pending", "agents.approve", async (agent) => {
			const { id, host } = agent;
			const key = layout.agentOfHost(host);
			const holder = await this.#agentOf(host);
			if (holder !== undefined) throw occupied(host, holder);
			return {
				agent: { ...agent, state: "approved" },
				checks: [{ key, is: "absent" }],
				operations: [{ type: "set", key, value: id }],
			};
		});
	}

	/** Revokes an agent: its id, or the name of a host with one that is not revoked. It gets nothing any more, and cannot be approved again. Throws `not-found`. */
	async revoke(name: string): Promise<Agent> {
		return await this.#change(name, "pending or approved", "agents.revoke", async (agent) => ({
			agent: { ...agent, state: "revoked" },
			operations: agent.state === "approved" ? [{ type: "delete", key: layout.agentOfHost(agent.host) }] : [],
		}));
	}

	/** Withdraws an invitation, and tells whether there was one. */
	async withdraw(id: string): Promise<boolean> {
		const entries = await this.#store.list({ prefix: layout.invitations, limit: maxListed });
		const found = entries.find(({ key }) => invitationId(String(key.at(-1))) === id);
		if (!found) return false;
		const { host } = JSON.parse(found.value) as Invitation;
		return await this.#commit({
			checks: [{ key: found.key, version: found.version }],
			operations: [{ type: "delete", key: found.key }],
			audit: [entry("agents.revoke", "operator", host, id)],
		});
	}

	/** Hints that agents have changed, whichever process did it, until the signal aborts. */
	changes(signal: AbortSignal): AsyncIterable<StoreChange> {
		return this.#store.changes(layout.agents, { signal });
	}

	/** Where agents reach the process that serves the directory, or last did. */
	async address(): Promise<string | undefined> {
		return (await this.#store.get(layout.agentAddress))?.value;
	}

	async setAddress(address: string): Promise<void> {
		await this.#commit({ operations: [{ type: "set", key: layout.agentAddress, value: address }] });
	}

	/** Changes the one agent that the name says, if it is in that state. */
	async #change(
		name: string,
		state: "pending" | "pending or approved",
		action: string,
		decide: (agent: Agent) => Promise<{ readonly agent: Agent } & StoreTransaction>,
	): Promise<Agent> {
		for (let attempt = 0; attempt < maxAttempts; attempt++) {
			const found = await this.#find(name, state);
			const { agent, checks = [], operations } = await decide(readAgent(found));
			const set: StoreOperation = {
				type: "set",
				key: found.key,
				value: JSON.stringify(agent),
				...(agent.state === "revoked" && { expiresAt: Date.now() + revokedForMs }),
			};
			const changed = await this.#commit({
				checks: [{ key: found.key, version: found.version }, ...checks],
				operations: [set, ...operations],
				audit: [entry(action, "operator", agent.host, agent.id)],
			});
			if (changed) return agent;
		}
		throw new RuntimeError("unavailable", `The agent ${excerpt(name)} is being changed by others.`);
	}

	async #find(name: string, state: "pending" | "pending or approved"): Promise<StoreEntry> {
		const isWanted = (found: StoreEntry): boolean => state.includes(readAgent(found).state);
		const own = await this.#store.get(layout.agent(name));
		if (own && isWanted(own)) return own;
		if (own) throw new RuntimeError("conflict", `The agent ${name} is ${readAgent(own).state}, and not ${state}.`);
		const entries = await this.#store.list({ prefix: layout.agents, limit: maxListed });
		const ofHost = entries.filter((found) => readAgent(found).host === name && isWanted(found));
		const [first] = ofHost;
		if (!first)
			throw new RuntimeError(
				"not-found",
				`There is no agent, and no host with an agent that is ${state}, named ${excerpt(name)}.`,
			);
		if (ofHost.length > 1)
			throw new RuntimeError(
				"conflict",
				`The host ${name} has ${ofHost.length} agents that are ${state}; name one of them: ${ofHost
					.map(readAgent)
					.map(({ id, state: its }) => `${id} (${its})`)
					.join(", ")}.`,
			);
		return first;
	}

	async #invitation(secret: string): Promise<(Omit<Invitation, "id"> & Pick<StoreEntry, "version">) | undefined> {
		const found = await this.#store.get(layout.invitation(hashOf(secret)));
		return found && { ...(JSON.parse(found.value) as Omit<Invitation, "id">), version: found.version };
	}

	async #agentOf(host: string): Promise<string | undefined> {
		return (await this.#store.get(layout.agentOfHost(host)))?.value;
	}

	/** False when a check did not hold. */
	async #commit(transaction: StoreTransaction): Promise<boolean> {
		return (await this.#store.commit(transaction)).committed;
	}
}

const readAgent = ({ value }: StoreEntry): Agent => JSON.parse(value) as Agent;

/** What is stored of a secret of 256 random bits: it need not be slow to be safe. */
const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

const invitationId = (secretHash: string): string => secretHash.slice(0, 20);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const entry = (action: string, actor: ControlAction["actor"], host: string, id: string): string =>
	describeAction({ action, actor, key: `${host}/${id}` });

function requireHostName(name: string): void {
	if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) return;
	throw new RuntimeError(
		"invalid",
		`${excerpt(name)} is not the name of a host; it must be up to 63 letters, digits, dots, dashes and underscores.`,
	);
}

const occupied = (host: string, id: string): RuntimeError =>
	new RuntimeError(
		"conflict",
		`The host ${host} has an approved agent, ${id}, and can have one; revoke it first: cronium agents revoke ${id}.`,
	);
