# SPDX-License-Identifier: LGPL-2.1-or-later
#
# debian.sh: to be sourced by scripts that make a fresh Debian of this machine's release, with $top, the
# tree. Needs root and the machine's Debian sources, which are only read.
# shellcheck shell=sh

: "${top:?}"
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

# debian_stamp SCRIPT: what the Debian that it makes depends on
debian_stamp() {
	echo "$codename $(cat "$1" "$top/tests/lib/debian.sh" | cksum)"
}

# debootstrap takes no path with a blank in it: run SCRIPT on another name of FOLDER, in a mount
# namespace, as SCRIPT PLACE "at its place"
debian_at_a_place() {
	rm -rf --one-file-system "$2"
	mkdir -p "$2"
	place=/mnt
	case $top/ in /mnt/*) place=/media ;; esac
	exec unshare --mount --propagation private -- sh -c \
		'mount --bind "$1" "$2" && exec "$0" "$2" "at its place"' "$1" "$2" "$place"
}

# debian_sources FILE: the machine's entries for its Debian release; sets $mirror
debian_sources() {
	sources=$1
	set --
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || set -- "$@" "$file"
	done
	awk -v codename="$codename" -f "$top/packaging/debian-sources.awk" "$@" | sort -u >"$sources"
	mirror=$(awk -v suite="$codename" '{ sub(/\[[^]]*\]/, "") } $3 == suite { print $2; exit }' \
		"$sources")
	[ -n "$mirror" ] || { echo "$0: no source of Debian $codename in /etc/apt" >&2; exit 1; }
}

# debian_reaches ROOT SOURCES: what is in ROOT comes to the network as this machine does: by its
# resolver and apt's settings, a proxy for one
debian_reaches() {
	cp "$2" "$1/etc/apt/sources.list"
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	apt-config dump | grep -E '^Acquire::(http|https)::' >"$1/etc/apt/apt.conf.d/90machine" || true
}

# debian_inside ROOT COMMAND...: with namespaces and file systems of its own, on the machine's network.
# Not by chroot, which whoever enters a mount namespace leaves.
debian_inside() {
	unshare --mount --pid --uts --ipc --fork --kill-child -- sh -c '
		mount --make-rprivate / && cd "$0" && mount --bind . . && cd "$0" &&
		mount -t proc proc proc && mount --rbind /dev dev && mount -t sysfs sysfs sys &&
		mount -t tmpfs tmpfs run && mount -t tmpfs -o mode=1777 tmpfs tmp &&
		pivot_root . . && umount -l . && cd / &&
		exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive "$@"' "$@"
}
