import { systemErrors } from "./errno.ts";
import type { GuestPointers } from "./guest-pointers.ts";

export interface GuestClock {
	/** Milliseconds since 1970. */
	readonly wallMs: () => number;
	/** Milliseconds since the run's start. */
	readonly monotonicMs: () => number;
}

const realtimeClock = 0;
const lastClock = 3;
const nanosecondsInMs = 1_000_000n;

const tmBytes = 44;
/** Seconds, and years, after which the calendar is the same again: what `Date` does not reach is computed from what it does. */
const cycleSeconds = 12_622_780_800n;
const cycleYears = 400;
const dayMs = 86_400_000;
const maxInt32 = 0x7fff_ffff;
const timezoneName = "UTC\0";

/** The system calls that tell the time, by the names that the module imports them with. Clocks have whole milliseconds; the time zone is UTC. */
export function createClockCalls(pointers: GuestPointers, clock: GuestClock) {
	const wallMs = () => Math.floor(clock.wallMs());
	const monotonicMs = () => Math.floor(clock.monotonicMs());

	function requireClock(id: number): void {
		if (id < realtimeClock || id > lastClock) throw systemErrors.EINVAL;
	}

	/** Stores what a time is in the calendar, as `struct tm`. */
	function storeCalendar(time: bigint, address: number): void {
		const tm = pointers.cleared(address, tmBytes);
		const inCycle = ((time % cycleSeconds) + cycleSeconds) % cycleSeconds;
		const date = new Date(Number(inCycle) * 1000);
		const year = date.getUTCFullYear() - 1900 + Number((time - inCycle) / cycleSeconds) * cycleYears;
		const day = Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / dayMs);
		const fields = [
			date.getUTCSeconds(),
			date.getUTCMinutes(),
			date.getUTCHours(),
			date.getUTCDate(),
			date.getUTCMonth(),
			Math.max(-maxInt32, Math.min(year, maxInt32)),
			date.getUTCDay(),
			day,
		];
		for (const [index, field] of fields.entries()) tm.writeInt32LE(field, 4 * index);
	}

	/** The time of a `struct tm`, whose fields may be out of their ranges; the fields are put into them. -1 when there is none, or no `struct tm`. */
	function timeOf(address: number): bigint {
		if (!pointers.has(address, tmBytes)) return -1n;
		const tm = pointers.bytes(address, tmBytes);
		const field = (index: number) => tm.readInt32LE(4 * index);
		const date = new Date(0);
		date.setUTCFullYear(field(5) + 1900, field(4), field(3));
		date.setUTCHours(field(2), field(1), field(0));
		const ms = date.getTime();
		if (Number.isNaN(ms)) return -1n;
		const time = BigInt(ms / 1000);
		storeCalendar(time, address);
		return time;
	}

	return {
		clock_time_get(id: number, _precision: bigint, time: number): number {
			requireClock(id);
			pointers.setInt64(time, BigInt(id === realtimeClock ? wallMs() : monotonicMs()) * nanosecondsInMs);
			return 0;
		},
		clock_res_get(id: number, resolution: number): number {
			requireClock(id);
			pointers.setInt64(resolution, nanosecondsInMs);
			return 0;
		},
		emscripten_date_now: wallMs,
		emscripten_get_now: monotonicMs,
		_gmtime_js: storeCalendar,
		_localtime_js: storeCalendar,
		_timegm_js: timeOf,
		_mktime_js: timeOf,
		_tzset_js(offset: number, hasDaylight: number, standardName: number, daylightName: number): void {
			pointers.setInt32(offset, 0);
			pointers.setInt32(hasDaylight, 0);
			for (const name of [standardName, daylightName]) pointers.bytes(name, timezoneName.length).write(timezoneName, 0, "latin1");
		},
	};
}
