// Only the shim in CMPI sees mpi.h: its handles and constants are macros, pointers in one library and integers in another.
#include <mpi.h>
