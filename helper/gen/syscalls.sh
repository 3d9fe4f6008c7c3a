#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# syscalls.sh FILE…: turns comments of the form
#     #syscall NAME [fd=ONE|OTHER] [request=ONE|OTHER]
# into lines of C for filter-gen.c: RULE(NAME, FD_ONE, REQUEST), with -1 for "not compared".
set -eu
# not piped into sort: a pipe would hide that awk failed
rules=$(awk '
/#syscall / {
	sub(/.*#syscall */, ""); sub(/ *\*\/.*/, "")
	words = split($0, word, " ")
	fds = "-1"; requests = "-1"
	for (i = 2; i <= words; i++) {
		if (sub(/^fd=/, "", word[i])) fds = word[i]
		else if (sub(/^request=/, "", word[i])) requests = word[i]
		else { print FILENAME ": #syscall: " word[i] > "/dev/stderr"; exit 1 }
	}
	nf = split(fds, fd, "|"); nr = split(requests, request, "|")
	for (f = 1; f <= nf; f++)
		for (r = 1; r <= nr; r++)
			print "RULE(" word[1] ", " (fd[f] == "-1" ? "-1" : "FD_" fd[f]) ", " request[r] ")"
}' "$@")
printf '%s\n' "$rules" | sort -u
