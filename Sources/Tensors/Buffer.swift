/// A piece of a device's memory, aligned for vectors. It returns to its pool, or to its device, when the last reference goes.
public final class Buffer: @unchecked Sendable {
  /// The first byte, as the device counts addresses.
  public let address: UnsafeMutableRawPointer
  public let byteCount: Int
  public let device: any Device
  private let isHost: Bool
  private let pool: BufferPool?
  let use: MemoryUse

  static let alignment = 64

  /// Memory of its own, zeroed, not pooled.
  public convenience init(zeroed byteCount: Int, on device: any Device = HostDevice()) {
    self.init(device.allocate(byteCount, zeroed: true), byteCount, on: device, pool: nil)
  }

  init(
    _ address: UnsafeMutableRawPointer, _ byteCount: Int, on device: any Device, pool: BufferPool?,
    use: MemoryUse = .activations
  ) {
    self.address = address
    self.byteCount = byteCount
    self.device = device
    isHost = device.isHost
    self.pool = pool
    self.use = use
  }

  /// The first byte, for the host's processors. Only of memory that they can touch.
  public var pointer: UnsafeMutableRawPointer {
    precondition(isHost, "the host's processors can't touch this memory")
    return address
  }

  deinit {
    if let pool { pool.take(back: address, byteCount: byteCount, use) } else { device.release(address, byteCount) }
  }
}
