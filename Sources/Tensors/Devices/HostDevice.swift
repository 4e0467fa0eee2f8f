#if canImport(Glibc)
  import Glibc
#endif

/// The processors of this machine and their memory.
public struct HostDevice: Device {
  private static let hugePage = 2 << 20

  public init() {}

  public var isHost: Bool { true }

  /// Large pieces start at huge-page boundaries, which spares most page faults and TLB misses.
  public func allocate(_ byteCount: Int, zeroed: Bool) -> UnsafeMutableRawPointer {
    var result: UnsafeMutableRawPointer?
    let isLarge = byteCount >= 2 * HostDevice.hugePage
    let status = posix_memalign(
      &result, isLarge ? HostDevice.hugePage : Buffer.alignment, max(byteCount, Buffer.alignment))
    guard status == 0, let result else { exitOutOfMemory(byteCount) }
    if isLarge { madvise(result, byteCount, MADV_HUGEPAGE) }
    if zeroed { memset(result, 0, byteCount) }
    return result
  }

  public func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int) { free(address) }

  public func zero(_ address: UnsafeMutableRawPointer, _ byteCount: Int) { memset(address, 0, byteCount) }

  public func copy(_ address: UnsafeMutableRawPointer, from source: UnsafeMutableRawPointer, _ byteCount: Int) {
    if address != source { memcpy(address, source, byteCount) }
  }

  public func read(_ address: UnsafeMutableRawPointer, into host: UnsafeMutableRawBufferPointer) {
    host.copyMemory(from: UnsafeRawBufferPointer(start: address, count: host.count))
  }

  public func write(_ host: UnsafeRawBufferPointer, to address: UnsafeMutableRawPointer) {
    UnsafeMutableRawBufferPointer(start: address, count: host.count).copyMemory(from: host)
  }

  public func makeTeam(_ threads: Int) -> ThreadTeam { ThreadTeam(count: threads) }

  public func run(_ work: DeviceWork, onHost: () -> Void) { onHost() }
}

/// Overcommitting systems kill rather than refuse, so there is nothing to recover here.
func exitOutOfMemory(_ byteCount: Int) -> Never {
  let message = "jigsaw: out of memory: \(byteCount) bytes could not be allocated\n"
  _ = message.withCString { write(STDERR_FILENO, $0, strlen($0)) }
  exit(1)
}
