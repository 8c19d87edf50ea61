import { openDoors } from "../../sidecar/doors.ts";
import { conformance } from "../conformance.ts";
import { sidecarDoor } from "../sidecar-door.ts";

// The other SDKs take this way in the containers.
conformance(sidecarDoor("sidecar", ["JavaScript sync", "Python asyncio"], openDoors));
