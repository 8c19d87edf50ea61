import packageFile from "../../package.json" with { type: "json" };

/** The images that container mode has of its own, by what their scripts are written in. */
export const imageNames = ["node", "python", "bash"] as const;
export type ImageName = (typeof imageNames)[number];

export const isImageName = (name: string): name is ImageName => (imageNames as readonly string[]).includes(name);

/**
 * `localhost/cronium/node:0.1.0`: no registry is asked for a name that says that it is of this machine. An image is for the version that made it,
 * because the SDK in it is.
 */
export const imageReference = (name: ImageName): string => `localhost/cronium/${name}:${packageFile.version}`;

/** Images that have it are ours; its value is the image's name. */
export const imageLabel = "cronium.image";

/** The user and group of an image, which every machine has no files of. A run has one of its own. */
export const imageUser = "65534:65534";

/** What an image without Dockerfile is given: the instructions of a Dockerfile. */
export function imageInstructions(name: ImageName): readonly string[] {
	return [
		"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"ENV LANG=C.UTF-8",
		`USER ${imageUser}`,
		"WORKDIR /work",
		"ENTRYPOINT []",
		'CMD ["/bin/sh"]',
		`LABEL ${imageLabel}=${name}`,
		`LABEL cronium.version=${packageFile.version}`,
	];
}
