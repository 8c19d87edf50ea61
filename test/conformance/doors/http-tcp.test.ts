import { conformance } from "../conformance.ts";
import { httpDoor } from "../http-door.ts";

// The other SDKs make the same requests to the same server on SSH hosts, by URL and over sockets.
conformance(httpDoor("HTTP over TCP", ["JavaScript"]));
