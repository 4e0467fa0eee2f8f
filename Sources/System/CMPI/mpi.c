#include "CMPI.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(MPI_Comm) <= sizeof(jk_mpi_comm), "communicators fit an integer");
_Static_assert(sizeof(MPI_Request) <= sizeof(jk_mpi_request), "requests fit an integer");
_Static_assert(MPI_MAX_ERROR_STRING <= 1024, "error texts fit the room for them");

// Copies rather than casts: the handles are pointers in one library and numbers in another.
static MPI_Comm comm_of(jk_mpi_comm value) {
  MPI_Comm comm;
  memcpy(&comm, &value, sizeof comm);
  return comm;
}

static jk_mpi_comm value_of(MPI_Comm comm) {
  jk_mpi_comm value = 0;
  memcpy(&value, &comm, sizeof comm);
  return value;
}

static MPI_Request request_of(jk_mpi_request value) {
  MPI_Request request;
  memcpy(&request, &value, sizeof request);
  return request;
}

static jk_mpi_request value_of_request(MPI_Request request) {
  jk_mpi_request value = 0;
  memcpy(&value, &request, sizeof request);
  return value;
}

static MPI_Datatype type_of(jk_mpi_type type) {
  switch (type) {
    case JK_MPI_FLOAT: return MPI_FLOAT;
    case JK_MPI_DOUBLE: return MPI_DOUBLE;
    case JK_MPI_INT64: return MPI_INT64_T;
    case JK_MPI_BYTE: break;
  }
  return MPI_BYTE;
}

static MPI_Op operation_of(jk_mpi_operation operation) {
  switch (operation) {
    case JK_MPI_MAX: return MPI_MAX;
    case JK_MPI_MIN: return MPI_MIN;
    case JK_MPI_SUM: break;
  }
  return MPI_SUM;
}

int jk_mpi_start(void) {
  int provided;
  int status = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  if (status != MPI_SUCCESS) return status;
  if (provided < MPI_THREAD_FUNNELED) return MPI_ERR_OTHER;  // the loader's thread runs beside the one that calls
  return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

int jk_mpi_finish(void) { return MPI_Finalize(); }

void jk_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

jk_mpi_comm jk_mpi_world(void) { return value_of(MPI_COMM_WORLD); }

int jk_mpi_rank(jk_mpi_comm comm, int *rank) { return MPI_Comm_rank(comm_of(comm), rank); }

int jk_mpi_size(jk_mpi_comm comm, int *size) { return MPI_Comm_size(comm_of(comm), size); }

int jk_mpi_split(jk_mpi_comm comm, int color, int key, jk_mpi_comm *result) {
  MPI_Comm part;
  const int status = MPI_Comm_split(comm_of(comm), color, key, &part);
  if (status == MPI_SUCCESS) *result = value_of(part);  // inherits the error handler
  return status;
}

int jk_mpi_free(jk_mpi_comm comm) {
  MPI_Comm handle = comm_of(comm);
  return MPI_Comm_free(&handle);
}

int jk_mpi_send(const void *data, int bytes, int peer, int tag, jk_mpi_comm comm, jk_mpi_request *request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  const int status = MPI_Isend(data, bytes, MPI_BYTE, peer, tag, comm_of(comm), &handle);
  *request = value_of_request(handle);
  return status;
}

int jk_mpi_receive(void *data, int bytes, int peer, int tag, jk_mpi_comm comm, jk_mpi_request *request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  const int status = MPI_Irecv(data, bytes, MPI_BYTE, peer, tag, comm_of(comm), &handle);
  *request = value_of_request(handle);
  return status;
}

int jk_mpi_all_reduce(void *data, int count, jk_mpi_type type, jk_mpi_operation operation, jk_mpi_comm comm,
                      jk_mpi_request *request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  const int status =
      MPI_Iallreduce(MPI_IN_PLACE, data, count, type_of(type), operation_of(operation), comm_of(comm), &handle);
  *request = value_of_request(handle);
  return status;
}

int jk_mpi_broadcast(void *data, int bytes, int root, jk_mpi_comm comm, jk_mpi_request *request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  const int status = MPI_Ibcast(data, bytes, MPI_BYTE, root, comm_of(comm), &handle);
  *request = value_of_request(handle);
  return status;
}

int jk_mpi_barrier(jk_mpi_comm comm, jk_mpi_request *request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  const int status = MPI_Ibarrier(comm_of(comm), &handle);
  *request = value_of_request(handle);
  return status;
}

int jk_mpi_test(jk_mpi_request *request, bool *done) {
  MPI_Request handle = request_of(*request);
  int flag = 0;
  const int status = MPI_Test(&handle, &flag, MPI_STATUS_IGNORE);
  *request = value_of_request(handle);
  *done = flag != 0;
  return status;
}

int jk_mpi_wait(jk_mpi_request *request) {
  MPI_Request handle = request_of(*request);
  const int status = MPI_Wait(&handle, MPI_STATUS_IGNORE);
  *request = value_of_request(handle);
  return status;
}

int jk_mpi_progress(jk_mpi_comm comm) {
  // Any call lets the library work on all transfers; this one asks for nothing else.
  int flag;
  return MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_of(comm), &flag, MPI_STATUS_IGNORE);
}

void jk_mpi_error_text(int code, char *text) {
  int length = 0;
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
  text[length] = 0;
}

void jk_mpi_library(char *text) {
  char full[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  if (MPI_Get_library_version(full, &length) != MPI_SUCCESS) length = 0;
  full[length] = 0;
  // The first line, without the build's details after the first comma.
  full[strcspn(full, ",\n")] = 0;
  strncpy(text, full, 1023);
  text[1023] = 0;
}
