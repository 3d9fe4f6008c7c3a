#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# deps.sh GROUP...: install from Debian what a group of work needs and this machine lacks.
#
#   build   compiler and libraries of the project itself
#   demo    what `make demo` starts: the real emulator, its test ROM's assembler, a display
#   check   what `make check` adds: the unit test library, the Avahi daemon and tools, QEMU,
#           tshark, systemd for its systemd-socket-activate, two formatters of manual pages
#   lint    what `make lint` and .ci/run add: the second compiler, and tools that read sources
#   bench   what `make bench` adds: the other networks that ours is measured beside
#   deb     what `make deb` adds: Debian's own way to build packages, and its judge
#   rpm     what `make rpm` and the check of the other packagings add
#   root    what `make check-packages` adds: the maker of a fresh Debian; `make check-clean`
#   vm      what `make check-vm` adds: a fresh Debian that QEMU boots
#
# Nothing is asked of the network when nothing is missing. The emulator is in Debian's contrib,
# which most machines do not have enabled: packages therefore come through a source list of our
# own, made of the machine's Debian entries with contrib added, with an index folder of our own.
# The machine's /etc/apt and /var/lib/apt/lists are read, never written.
# Avahi's programs, and those of bench, are unpacked into build/, not installed: an installed daemon
# would be started now and at every boot, and a test has no business leaving one behind.
# Must never: ask a question, start a service, change a source list.
set -eu

packages_build="gcc libc6-dev make pkg-config
	libcap-ng-dev libmnl-dev libseccomp-dev libavahi-client-dev libavahi-core-dev"
packages_demo="python3 iproute2 iputils-ping binutils-m68k-linux-gnu xvfb xkb-data basilisk2"
packages_check="check libdaemon0 libgdbm6 dbus-daemon qemu-system-x86 ipxe-qemu dnsmasq-base
	tshark systemd mandoc man-db procps g++"
packages_lint="clang clang-format clang-tidy cppcheck shellcheck pyflakes3 codespell valgrind"
packages_bench="python3 iproute2 libvdeplug2 liblz4-1 liblzo2-2 libnl-genl-3-200
	libpkcs11-helper1 net-tools"
packages_deb="debhelper dpkg-dev fakeroot po-debconf lintian check python3"
packages_rpm="rpm rpmlint"
packages_root="debootstrap xz-utils systemd"
packages_vm="debootstrap xz-utils cpio qemu-system-x86"
unpacked_check="avahi-daemon avahi-utils"
unpacked_bench="vde-switch vdeplug tinc n2n openvpn"

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
unpack_dir=$top/build/debian
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

die() {
	echo "deps: $*" >&2
	exit 1
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ]
}

# The marker is made last: what was unpacked in part is unpacked again.
unpacked() {
	[ -e "$unpack_dir/$1.unpacked" ]
}

debian_sources() {
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ -n "$codename" ] || die "/etc/os-release names no release"
	set --
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || set -- "$@" "$file"
	done
	[ $# -eq 0 ] || awk -v codename="$codename" -f "$top/packaging/debian-sources.awk" "$@"
}

apt() {
	apt-get -qq -o Dir::Etc::sourcelist="$work/debian.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o APT::Sandbox::User=root \
		-o APT::Get::List-Cleanup=false -o Dpkg::Use-Pty=false "$@"
}

# run $@ with its output kept, shown only if it fails
quietly() {
	"$@" >"$work/log" 2>&1 </dev/null || {
		cat "$work/log" >&2
		die "'apt-get ${2-}' failed"
	}
}

unpack() {
	rm -rf "$work/deb" && mkdir "$work/deb"
	(cd "$work/deb" && quietly apt download "$1")
	dpkg-deb -x "$work/deb/$1"_*.deb "$work/deb"
	mkdir -p "$unpack_dir"
	find "$work/deb/usr/bin" "$work/deb/usr/sbin" -type f -exec mv {} "$unpack_dir" \; \
		2>/dev/null || true # a package has one of the two folders
	dpkg-deb -f "$work/deb/$1"_*.deb Version >"$unpack_dir/$1.unpacked"
}

[ $# -gt 0 ] || die "which group? build, demo, check, lint, bench, deb, rpm, root or vm"
need='' unpack=''
for group; do
	case $group in
	build) need="$need $packages_build" ;;
	demo) need="$need $packages_demo" ;;
	check) need="$need $packages_check" unpack="$unpack $unpacked_check" ;;
	lint) need="$need $packages_lint" ;;
	bench) need="$need $packages_bench" unpack="$unpack $unpacked_bench" ;;
	deb) need="$need $packages_deb" ;;
	rpm) need="$need $packages_rpm" ;;
	root) need="$need $packages_root" ;;
	vm) need="$need $packages_vm" ;;
	*) die "no group '$group': build, demo, check, lint, bench, deb, rpm, root or vm" ;;
	esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	# shellcheck disable=SC2086 # lists of words, here and below
	echo "deps: not a Debian system; these must be there already:" $need $unpack >&2
	exit 0
fi
missing='' missing_files=''
for p in $need; do
	installed "$p" || missing="$missing $p"
done
for p in $unpack; do
	installed "$p" || unpacked "$p" || missing_files="$missing_files $p"
done
[ -n "$missing$missing_files" ] || exit 0
[ "$(id -u)" = 0 ] || die "missing, and only root may install:$missing$missing_files" \
	"(try: sudo packaging/deps.sh $*)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
mkdir -p "$work/lists/partial"
debian_sources | sort -u >"$work/debian.list"
[ -s "$work/debian.list" ] || die "no source of this Debian release in /etc/apt; missing:" \
	"$missing$missing_files"
echo "deps: installing$missing$missing_files"
quietly apt update
# shellcheck disable=SC2086
[ -z "$missing" ] || quietly apt install --yes --no-install-recommends $missing
for p in $missing_files; do
	unpack "$p"
done
