import { openForwardedDoors } from "../../sidecar/forwarded-doors.ts";
import { conformance } from "../conformance.ts";
import { sidecarDoor } from "../sidecar-door.ts";

// One of each language: what differs between a language's SDKs is not on the way to the host.
conformance(sidecarDoor("sidecar process", ["JavaScript", "Python", "Bash"], openForwardedDoors));
