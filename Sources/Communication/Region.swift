import Tensors

/// Bytes within a buffer, which stay alive as long as a transfer needs them.
public struct Region: Sendable {
  public let buffer: Buffer
  /// The place of the first byte within the buffer.
  public let offset: Int
  public let byteCount: Int

  public init(_ buffer: Buffer, offset: Int = 0, byteCount: Int) {
    precondition(offset >= 0 && offset + byteCount <= buffer.byteCount, "region exceeds its buffer")
    self.buffer = buffer
    self.offset = offset
    self.byteCount = byteCount
  }

  public init(_ tensor: Tensor) {
    self.init(tensor.buffer, offset: tensor.offset * tensor.type.byteCount, byteCount: tensor.byteCount)
  }

  public var pointer: UnsafeMutableRawPointer { buffer.pointer + offset }

  public func bytes(_ range: Range<Int>) -> Region {
    Region(buffer, offset: offset + range.lowerBound, byteCount: range.count)
  }
}

/// The type of number that a reduction takes a region's bytes for.
public enum NumberType: Sendable, Hashable {
  case float32, float64, int64

  public var byteCount: Int { self == .float32 ? 4 : 8 }
}

/// How a reduction joins two elements.
public enum ReductionOperation: Sendable, Hashable {
  case sum, maximum, minimum
}
