import { conformance } from "../conformance.ts";
import { httpDoor } from "../http-door.ts";

conformance(httpDoor("HTTP over TCP", { unixSocket: false }));
