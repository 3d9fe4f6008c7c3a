/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interpose.h: for the files that define functions of libc's names. To be included first.
 */
#ifndef BASILISK_TAP_SHIM_INTERPOSE_H
#define BASILISK_TAP_SHIM_INTERPOSE_H

/* libc's checking headers would define the same names inline */
#undef _FORTIFY_SOURCE

#define INTERPOSE __attribute__((visibility("default")))

#endif
