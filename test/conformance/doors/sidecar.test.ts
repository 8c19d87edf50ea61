import { openDoors } from "../../sidecar/doors.ts";
import { conformance } from "../conformance.ts";
import { sdks } from "../sdk-guests.ts";
import { sidecarDoor } from "../sidecar-door.ts";

conformance(sidecarDoor("sidecar", sdks, openDoors));
