/// The one place that sees MPI. Handles are integers here, whatever they are in the library (Open MPI: pointers,
/// MPICH: numbers). All functions return 0 or MPI's error code; counts are in elements and fit an int: callers split.
#ifndef JIGSAW_CMPI_H
#define JIGSAW_CMPI_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uintptr_t jk_mpi_comm;
typedef uintptr_t jk_mpi_request;

typedef enum { JK_MPI_BYTE = 0, JK_MPI_FLOAT = 1, JK_MPI_DOUBLE = 2, JK_MPI_INT64 = 3 } jk_mpi_type;
typedef enum { JK_MPI_SUM = 0, JK_MPI_MAX = 1, JK_MPI_MIN = 2 } jk_mpi_operation;

/// Starts MPI for calls from one thread; errors are returned instead of ending the program.
int jk_mpi_start(void);
int jk_mpi_finish(void);
/// Ends the processes of all ranks.
void jk_mpi_abort(int status);

jk_mpi_comm jk_mpi_world(void);
int jk_mpi_rank(jk_mpi_comm comm, int *rank);
int jk_mpi_size(jk_mpi_comm comm, int *size);
int jk_mpi_split(jk_mpi_comm comm, int color, int key, jk_mpi_comm *result);
int jk_mpi_free(jk_mpi_comm comm);

int jk_mpi_send(const void *data, int bytes, int peer, int tag, jk_mpi_comm comm, jk_mpi_request *request);
int jk_mpi_receive(void *data, int bytes, int peer, int tag, jk_mpi_comm comm, jk_mpi_request *request);
int jk_mpi_all_reduce(void *data, int count, jk_mpi_type type, jk_mpi_operation operation, jk_mpi_comm comm,
                      jk_mpi_request *request);
int jk_mpi_broadcast(void *data, int bytes, int root, jk_mpi_comm comm, jk_mpi_request *request);
int jk_mpi_barrier(jk_mpi_comm comm, jk_mpi_request *request);

/// Whether a transfer is done, after which its handle is gone.
int jk_mpi_test(jk_mpi_request *request, bool *done);
int jk_mpi_wait(jk_mpi_request *request);

/// Lets the library move all transfers on.
int jk_mpi_progress(jk_mpi_comm comm);

/// The library's words for a code; `text` has room for 1024 characters.
void jk_mpi_error_text(int code, char *text);
/// Name and version of the library, in the same room.
void jk_mpi_library(char *text);

#ifdef __cplusplus
}
#endif
#endif
