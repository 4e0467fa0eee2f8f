#if canImport(Glibc)
  import Glibc
#endif

/// A box of an array, and, of one of its dimensions, the indices that matter.
public struct ArrayPart: Sendable, Hashable {
  public var box: [Range<Int>]
  public var only: Only?

  public struct Only: Sendable, Hashable {
    public let dimension: Int
    public let indices: Set<Int>

    public init(dimension: Int, indices: Set<Int>) {
      self.dimension = dimension
      self.indices = indices
    }
  }

  public init(_ box: [Range<Int>], only: Only? = nil) {
    self.box = box
    self.only = only
  }
}

/// Numbers of an array as they come out of a store: native byte order, at strides. Valid during a call.
public struct StoredPiece {
  public let type: ScalarType
  /// Those of the array.
  public let box: [Range<Int>]
  /// Of the box's first number.
  public let start: UnsafeRawPointer
  /// Numbers between neighbours along each dimension; 0 where one number stands for all.
  public let strides: [Int]

  public var count: Int { box.reduce(1) { $0 * $1.count } }

  /// Copies the bytes into an array in C order that holds `target` of the stored one.
  func copy(to out: UnsafeMutableRawPointer, holding target: [Range<Int>]) {
    let targetStrides = Stores.strides(target.map(\.count), isFortranOrder: false)
    let first = box.indices.reduce(0) { $0 + (box[$1].lowerBound - target[$1].lowerBound) * targetStrides[$1] }
    copyBox(
      from: start, strides, to: out + first * type.byteCount, targetStrides, extent: box.map(\.count),
      width: type.byteCount)
  }
}

/// Memory that one thread reads with, used again for each chunk.
public final class ReadingScratch {
  /// Bytes of a file, and what codecs make of them.
  let stored = RawBytes()
  let decoded = RawBytes()
  /// For whoever unpacks pieces.
  public let numbers = RawBytes()

  public init() {}

  /// Held now.
  public var byteCount: Int { stored.capacity + decoded.capacity + numbers.capacity }
}

/// Memory that grows, content undefined after each growth.
public final class RawBytes {
  public private(set) var capacity = 0
  public private(set) var pointer: UnsafeMutableRawPointer

  private static let hugePage = 2 << 20

  init() { pointer = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64) }

  deinit { pointer.deallocate() }

  /// Room for at least so many bytes.
  @discardableResult
  public func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer {
    if byteCount <= capacity { return pointer }
    pointer.deallocate()
    // Huge pages spare most page faults.
    let isLarge = byteCount >= RawBytes.hugePage
    capacity = isLarge ? (byteCount + RawBytes.hugePage - 1) / RawBytes.hugePage * RawBytes.hugePage : byteCount
    pointer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: isLarge ? RawBytes.hugePage : 64)
    if isLarge { madvise(pointer, capacity, MADV_HUGEPAGE) }
    return pointer
  }
}
