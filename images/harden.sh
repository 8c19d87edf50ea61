#!/bin/sh
# Runs in the last step before an image's files are copied into the final stage. Takes away what no run needs and an attacker would like: package managers and
# what they know, programs with the rights of others, and places that everybody can write to. Fails when something of it is left.
set -eu

rm -rf /var/lib/apt /var/lib/dpkg /var/cache /var/log /etc/apt /etc/dpkg /usr/lib/apt /usr/lib/dpkg /usr/share/dpkg /usr/share/doc /usr/share/man \
	/usr/local/lib/node_modules /usr/local/include /usr/local/share/man /opt/yarn* /etc/ssl/private /root /home/* /tmp/* /docker-entrypoint.sh
mkdir -p /dev /proc /sys /run/cronium /script /tmp /work
for directory in /usr/bin /usr/sbin /bin /sbin /usr/local/bin /usr/local/sbin; do
	for name in 'apt*' 'dpkg*' 'deb*' 'npm*' npx corepack 'yarn*' 'pnpm*' 'pip*' 'easy_install*' 'docker-entrypoint.sh'; do
		# Not quoted: the names are patterns.
		rm -f "$directory"/$name
	done
done
find / -xdev -type d \( -name ensurepip -o -name pip -o -name 'pip-*' -o -name setuptools -o -name 'setuptools-*' -o -name wheel -o -name 'wheel-*' \) \
	-prune -exec rm -rf {} +
find / -xdev -type f -path '*/ensurepip/*' -delete
find / -xdev ! -type l -perm /6000 -exec chmod a-s {} +
find / -xdev ! -type l ! -type c -perm -0002 -exec chmod o-w,-t {} +
# A tmpfs takes on the mode of the directory that it covers (runc), and a run has to write to these two.
chmod 1777 /tmp /work

for name in apt apt-get dpkg npm npx corepack yarn pip pip3; do
	if command -v "$name" >/dev/null; then
		echo "harden.sh: $name is still there" >&2
		exit 1
	fi
done
left=$(find / -xdev ! -type l ! -type c \( -perm /6000 -o -perm -0002 \) ! -path /tmp ! -path /work -print)
if [ -n "$left" ]; then
	echo "harden.sh: these have rights that no file may have: $left" >&2
	exit 1
fi
