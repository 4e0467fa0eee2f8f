import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// What a child tells its parent, in memory that both see: it outlives a crash.
struct FuzzStatus {
  var number = 0
  var opened = 0
  var refused = 0
  var failures = 0
  var longestMicroseconds = 0
  var longestNumber = 0
  /// Growth of the process's memory since before the first case, bytes.
  var peakGrowth = 0

  static func map(_ path: String) throws -> UnsafeMutablePointer<FuzzStatus> {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0, ftruncate(descriptor, 4_096) == 0,
      let memory = mmap(nil, 4_096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
    else { throw JigsawError(path, "can't be shared (\(Files.reason()))") }
    close(descriptor)
    return memory.bindMemory(to: FuzzStatus.self, capacity: 1)
  }
}
