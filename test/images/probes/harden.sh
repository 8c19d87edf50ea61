# Leaves in the root file system what a base may have, and looks what harden.sh (its text is the first argument) takes away of it.
set -euo pipefail
cp /usr/bin/sleep /usr/bin/su
chmod 6755 /usr/bin/su
mkdir -m 1777 -p /var/shared
mkdir -p /usr/local/bin /usr/local/lib/node_modules/npm /usr/lib/python3/dist-packages/pip/a /usr/lib/python3.13/ensurepip /root/.ssh /var/lib/dpkg
for name in apt-get dpkg-deb pip3.13; do cp /usr/bin/true "/usr/bin/$name"; done
ln -s ../lib/node_modules/npm /usr/local/bin/npm
ln -s npm /usr/local/bin/npx
chmod 666 /etc/group

list() {
	find / -xdev \( -name apt-get -o -name 'dpkg*' -o -name 'pip*' -o -name 'np[mx]' -o -name node_modules -o -name ensurepip -o -name .ssh \) -print
	find / -xdev ! -type l ! -type c -perm /6002 ! -path /tmp ! -path /work -print
}
list | wc -l
sh -c "$1"
list
stat -c %a /usr/bin/su
