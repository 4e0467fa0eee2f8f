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
  /// The positions in the array.
  public let box: [Range<Int>]
  /// The address of the box's first number.
  public let start: UnsafeRawPointer
  /// Numbers between neighbours along each dimension; 0 where one number stands for all.
  public let strides: [Int]

  public init(type: ScalarType, box: [Range<Int>], start: UnsafeRawPointer, strides: [Int]) {
    self.type = type
    self.box = box
    self.start = start
    self.strides = strides
  }

  public var count: Int { box.reduce(1) { $0 * $1.count } }

  /// Copies the bytes into an array in C order that holds `target` of the stored one.
  public func copy(to out: UnsafeMutableRawPointer, holding target: [Range<Int>]) {
    let targetStrides = Stores.strides(target.map(\.count), isFortranOrder: false)
    let first = box.indices.reduce(0) { $0 + (box[$1].lowerBound - target[$1].lowerBound) * targetStrides[$1] }
    copyBox(
      from: start, strides, to: out + first * type.byteCount, targetStrides, extent: box.map(\.count),
      width: type.byteCount)
  }
}
