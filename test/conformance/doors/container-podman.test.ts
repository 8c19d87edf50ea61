import { test } from "vitest";
import { findTestEngine } from "../../containers/engines.ts";
import { conformance } from "../conformance.ts";
import { containerDoor } from "../container-door.ts";

const engine = await findTestEngine("podman");
if ("missing" in engine) test.skip(`containers on podman: ${engine.missing}`);
else conformance(containerDoor("podman", engine.address));
