import { performance } from "./clock.ts";
import { fail } from "./failure.ts";

interface EventInit {
	readonly bubbles?: boolean;
	readonly cancelable?: boolean;
	readonly composed?: boolean;
}

/** What only dispatching may change. */
interface Dispatch {
	target: EventTarget | null;
	isDispatching: boolean;
	isStopped: boolean;
	isPassive: boolean;
	isTrusted: boolean;
}

let stateOf: (event: Event) => Dispatch;

export class Event {
	static readonly NONE = 0;
	static readonly CAPTURING_PHASE = 1;
	static readonly AT_TARGET = 2;
	static readonly BUBBLING_PHASE = 3;
	readonly #type: string;
	readonly #init: EventInit;
	readonly #timeStamp = performance.now();
	readonly #state: Dispatch = { target: null, isDispatching: false, isStopped: false, isPassive: false, isTrusted: false };
	#defaultPrevented = false;
	#propagationStopped = false;

	static {
		stateOf = (event) => event.#state;
	}

	constructor(type: unknown, init: EventInit = {}) {
		if (type === undefined) throw new TypeError("An event needs a type");
		this.#type = `${type}`;
		this.#init = init ?? {};
	}

	get type(): string {
		return this.#type;
	}
	get bubbles(): boolean {
		return Boolean(this.#init.bubbles);
	}
	get cancelable(): boolean {
		return Boolean(this.#init.cancelable);
	}
	get composed(): boolean {
		return Boolean(this.#init.composed);
	}
	get target(): EventTarget | null {
		return this.#state.target;
	}
	get srcElement(): EventTarget | null {
		return this.#state.target;
	}
	get currentTarget(): EventTarget | null {
		return this.#state.isDispatching ? this.#state.target : null;
	}
	get eventPhase(): number {
		return this.#state.isDispatching ? Event.AT_TARGET : Event.NONE;
	}
	get defaultPrevented(): boolean {
		return this.#defaultPrevented;
	}
	get returnValue(): boolean {
		return !this.#defaultPrevented;
	}
	get cancelBubble(): boolean {
		return this.#propagationStopped;
	}
	get timeStamp(): number {
		return this.#timeStamp;
	}
	get isTrusted(): boolean {
		return this.#state.isTrusted;
	}
	composedPath(): EventTarget[] {
		return this.#state.isDispatching && this.#state.target ? [this.#state.target] : [];
	}
	preventDefault(): void {
		if (this.cancelable && !this.#state.isPassive) this.#defaultPrevented = true;
	}
	stopPropagation(): void {
		this.#propagationStopped = true;
	}
	stopImmediatePropagation(): void {
		this.#propagationStopped = true;
		this.#state.isStopped = true;
	}
}

export class CustomEvent extends Event {
	readonly #detail: unknown;

	constructor(type: unknown, init: EventInit & { readonly detail?: unknown } = {}) {
		super(type, init);
		this.#detail = init?.detail ?? null;
	}

	get detail(): unknown {
		return this.#detail;
	}
}

type Callback = ((event: Event) => unknown) | { readonly handleEvent: (event: Event) => unknown };

interface Listener {
	readonly callback: Callback;
	readonly capture: boolean;
	readonly once: boolean;
	readonly passive: boolean;
	isRemoved: boolean;
}

interface ListenerOptions {
	readonly capture?: boolean;
	readonly once?: boolean;
	readonly passive?: boolean;
	readonly signal?: { readonly aborted: boolean; addEventListener(type: string, callback: () => void): void };
}

export class EventTarget {
	readonly #listeners = new Map<string, Listener[]>();

	addEventListener(type: unknown, callback: Callback | null, options: ListenerOptions | boolean = {}): void {
		if (callback === null || callback === undefined) return;
		if (typeof callback !== "function" && typeof callback !== "object")
			throw new TypeError("A listener is a function or an object");
		const { once = false, passive = false, signal } = typeof options === "object" ? (options ?? {}) : {};
		const capture = captureOf(options);
		if (signal?.aborted) return;
		const name = `${type}`;
		const listeners = this.#listeners.get(name) ?? [];
		if (listeners.some((listener) => listener.callback === callback && listener.capture === capture)) return;
		this.#listeners.set(name, [
			...listeners,
			{ callback, capture, once: Boolean(once), passive: Boolean(passive), isRemoved: false },
		]);
		signal?.addEventListener("abort", () => this.removeEventListener(name, callback, capture));
	}

	removeEventListener(type: unknown, callback: Callback | null, options: ListenerOptions | boolean = {}): void {
		const name = `${type}`;
		const capture = captureOf(options);
		this.#listeners.set(
			name,
			(this.#listeners.get(name) ?? []).filter((listener) => {
				if (listener.callback !== callback || listener.capture !== capture) return true;
				listener.isRemoved = true;
				return false;
			}),
		);
	}

	/** A listener that throws ends the run, as an uncaught error does; the others are still called. */
	dispatchEvent(event: Event): boolean {
		if (!(event instanceof Event)) throw new TypeError("dispatchEvent takes an Event");
		const state = stateOf(event);
		if (state.isDispatching) throw new DOMException("The event is already being dispatched", "InvalidStateError");
		state.target = this;
		state.isDispatching = true;
		state.isStopped = false;
		for (const listener of this.#listeners.get(event.type) ?? []) {
			if (state.isStopped) break;
			if (listener.isRemoved) continue;
			if (listener.once) this.removeEventListener(event.type, listener.callback, listener.capture);
			state.isPassive = listener.passive;
			try {
				if (typeof listener.callback === "function") Reflect.apply(listener.callback, this, [event]);
				else listener.callback.handleEvent(event);
			} catch (error) {
				fail(error);
			}
			state.isPassive = false;
		}
		state.isDispatching = false;
		return !event.defaultPrevented;
	}
}

/** Dispatches an event that the runtime made, not the script. */
export function dispatchTrusted(target: EventTarget, event: Event): void {
	stateOf(event).isTrusted = true;
	target.dispatchEvent(event);
}

function captureOf(options: ListenerOptions | boolean | undefined): boolean {
	return Boolean(typeof options === "object" && options !== null ? options.capture : options);
}

/** Gives `target` the attribute `on<type>`: one listener that is replaced by assignment. */
export function defineHandler(prototype: object, type: string): void {
	const handlers = new WeakMap<object, { callback: unknown }>();
	Object.defineProperty(prototype, `on${type}`, {
		configurable: true,
		enumerable: true,
		get(this: EventTarget): unknown {
			return handlers.get(this)?.callback ?? null;
		},
		set(this: EventTarget, callback: unknown) {
			let handler = handlers.get(this);
			if (!handler) {
				const made: { callback: unknown } = { callback: null };
				handler = made;
				handlers.set(this, made);
				this.addEventListener(type, (event) => {
					if (typeof made.callback === "function") Reflect.apply(made.callback, this, [event]);
				});
			}
			handler.callback = typeof callback === "function" ? callback : null;
		},
	});
}
