import { openForwardedDoors } from "../../sidecar/forwarded-doors.ts";
import { conformance } from "../conformance.ts";
import { sidecarDoor } from "../sidecar-door.ts";

// One does: what differs between the SDKs is not on the way from a sidecar to its host.
conformance(sidecarDoor("sidecar process", ["JavaScript"], openForwardedDoors));
