import { test } from "vitest";
import { findTestEngine } from "../../containers/engines.ts";
import { conformance } from "../conformance.ts";
import { containerDoor } from "../container-door.ts";

const engine = await findTestEngine("docker");
if ("missing" in engine) test.skip(`containers on docker: ${engine.missing}`);
else conformance(containerDoor("docker", engine.address));
