/// System calls that Swift's view of the C library lacks.
#ifndef JIGSAW_CLINUX_H
#define JIGSAW_CLINUX_H

/// Exchanges the names of two files or folders at once; returns 0, or -1 with errno where that fails or the file system can't.
int jl_exchange(const char *a, const char *b);

/// Writes the calls that the calling thread is in to a file descriptor, one a line. In a signal handler it may be called once it has
/// been called elsewhere; with -1 it writes nothing.
void jl_write_stack(int file);

#endif
