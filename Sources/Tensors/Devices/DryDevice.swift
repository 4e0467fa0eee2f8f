#if canImport(Glibc)
  import Glibc
#endif

/// Takes note of work. Called from the thread of the rank whose work it is.
public protocol WorkMeter: AnyObject, Sendable {
  /// A GEMM C[m, n] = A·B with sums over k.
  ///
  /// - Parameter pause: to be called several times in the course of it.
  func product(m: Int, n: Int, k: Int, pause: (() -> Void)?)

  /// So many bytes read and written by anything but a GEMM, and what is computed meanwhile.
  func pass(bytes: Int, _ arithmetic: PassArithmetic)
}

/// Counts work instead of doing it: a dry run calls the code that trains, and nothing is computed and no memory touched.
/// Its addresses have no memory behind them: whoever touches them by mistake is stopped at once.
public struct DryDevice: Device {
  private let meter: any WorkMeter

  public init(_ meter: any WorkMeter) { self.meter = meter }

  public var isHost: Bool { false }

  public func allocate(_ byteCount: Int, zeroed: Bool) -> UnsafeMutableRawPointer {
    let size = max(byteCount, Buffer.alignment)
    let address = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let address, address != MAP_FAILED else { exitOutOfMemory(size) }
    return address
  }

  public func release(_ address: UnsafeMutableRawPointer, _ byteCount: Int) {
    munmap(address, max(byteCount, Buffer.alignment))
  }

  public func zero(_ address: UnsafeMutableRawPointer, _ byteCount: Int) { meter.pass(bytes: byteCount, .little) }

  public func copy(_ address: UnsafeMutableRawPointer, from source: UnsafeMutableRawPointer, _ byteCount: Int) {
    meter.pass(bytes: 2 * byteCount, .little)
  }

  public func read(_ address: UnsafeMutableRawPointer, into host: UnsafeMutableRawBufferPointer) {
    preconditionFailure("a dry run has no values")
  }

  public func write(_ host: UnsafeRawBufferPointer, to address: UnsafeMutableRawPointer) {
    preconditionFailure("a dry run has no values")
  }

  /// A team that is never given work.
  public func makeTeam(_ threads: Int) -> ThreadTeam { ThreadTeam(count: threads, isDry: true) }

  public func run(_ work: DeviceWork, onHost: () -> Void) {
    if let product = work.product {
      for _ in 0..<work.productCount { meter.product(m: product.m, n: product.n, k: product.k, pause: work.pause) }
    }
    if let pass = work.pass { meter.pass(bytes: pass.bytes, pass.arithmetic) }
  }
}
