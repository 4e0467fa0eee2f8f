/// System calls that Swift's view of the C library lacks.
#ifndef JIGSAW_CLINUX_H
#define JIGSAW_CLINUX_H

/// Exchanges the names of two files or folders at once; returns 0, or -1 with errno where that fails or the file system can't.
int jl_exchange(const char *a, const char *b);

#endif
