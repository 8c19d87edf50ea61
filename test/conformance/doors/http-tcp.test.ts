import { conformance } from "../conformance.ts";
import { httpDoor } from "../http-door.ts";

// The twins of two SDKs, which make the same requests in other threads and loops, are tried at the local doors and in the stub.
conformance(httpDoor("HTTP over TCP", { unixSocket: false }, ["JavaScript", "Python", "Bash"]));
