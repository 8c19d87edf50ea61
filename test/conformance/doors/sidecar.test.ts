import { openDoors } from "../../sidecar/doors.ts";
import { conformance } from "../conformance.ts";
import { sidecarDoor } from "../sidecar-door.ts";

// Bash, whose every call is a process, takes this way in the containers.
conformance(sidecarDoor("sidecar", ["JavaScript", "JavaScript sync", "Python", "Python asyncio"], openDoors));
