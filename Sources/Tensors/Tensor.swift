/// A dense row-major array, a view of (a part of) a buffer. Copies share the memory.
public struct Tensor: @unchecked Sendable {
  public let shape: [Int]
  public let type: ElementType
  public let buffer: Buffer
  /// The place of the first element within the buffer, in elements.
  public let offset: Int
  public let count: Int

  public init(shape: [Int], type: ElementType = .float32, buffer: Buffer, offset: Int = 0) {
    self.shape = shape
    self.type = type
    self.buffer = buffer
    self.offset = offset
    count = shape.reduce(1, *)
    precondition((offset + count) * type.byteCount <= buffer.byteCount, "tensor \(shape) exceeds its buffer")
  }

  /// New zeroed memory outside any pool.
  public init(zeros shape: [Int], on device: any Device = HostDevice()) {
    self.init(shape: shape, buffer: Buffer(zeroed: shape.reduce(1, *) * ElementType.float32.byteCount, on: device))
  }

  public init(_ values: [Float], shape: [Int]) {
    self.init(zeros: shape)
    precondition(values.count == count, "\(values.count) values for shape \(shape)")
    for i in 0..<count { floats[i] = values[i] }
  }

  public var byteCount: Int { count * type.byteCount }

  /// The elements of an FP32 tensor. Valid while the tensor (or another on its buffer) lives.
  public var floats: UnsafeMutableBufferPointer<Float> {
    precondition(type == .float32)
    return UnsafeMutableBufferPointer(start: pointer, count: count)
  }

  /// The first element of an FP32 tensor.
  public var pointer: UnsafeMutablePointer<Float> {
    precondition(type == .float32)
    return buffer.pointer.assumingMemoryBound(to: Float.self) + offset
  }

  /// The first element of a bf16 tensor: the upper halves of FP32 elements.
  public var bfloat16Pointer: UnsafeMutablePointer<UInt16> {
    precondition(type == .bfloat16)
    return buffer.pointer.assumingMemoryBound(to: UInt16.self) + offset
  }

  public var values: [Float] { Array(floats) }

  /// Calls `body` with the elements of an FP32 tensor in the host's memory: its own, or a copy of another device's.
  public func readOnHost<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    let host = hostCopy
    return try withExtendedLifetime(host) { try body(UnsafeBufferPointer(host.floats)) }
  }

  /// Has `body` change the elements of an FP32 tensor in the host's memory.
  public func updateOnHost<R>(_ body: (UnsafeMutableBufferPointer<Float>) throws -> R) rethrows -> R {
    let host = hostCopy
    return try withExtendedLifetime(host) {
      let result = try body(host.floats)
      if !buffer.device.isHost { buffer.device.write(UnsafeRawBufferPointer(host.floats), to: address) }
      return result
    }
  }

  /// The tensor itself where the host's processors can touch its memory.
  private var hostCopy: Tensor {
    if buffer.device.isHost { return self }
    let copy = Tensor(shape: shape, type: type, buffer: Buffer(zeroed: byteCount))
    buffer.device.read(address, into: UnsafeMutableRawBufferPointer(start: copy.buffer.pointer, count: byteCount))
    return copy
  }

  /// The first element, as the device counts addresses.
  var address: UnsafeMutableRawPointer { buffer.address + offset * type.byteCount }

  /// The same elements in another shape.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "\(self.shape) has not the size of \(shape)")
    return Tensor(shape: shape, type: type, buffer: buffer, offset: offset)
  }

  /// The tensor as a matrix of `rows` rows.
  public func matrix(rows: Int) -> Matrix {
    let columns = rows == 0 ? 0 : count / rows
    precondition(rows * columns == count, "\(shape) has no \(rows) rows")
    return Matrix(buffer: buffer, offset: offset, rows: rows, columns: columns, stride: columns, type: type)
  }

  /// A tensor of two dimensions as a matrix.
  public var matrix: Matrix {
    precondition(shape.count == 2)
    return Matrix(buffer: buffer, offset: offset, rows: shape[0], columns: shape[1], stride: shape[1], type: type)
  }

  public func fill(zero: Void = ()) {
    buffer.device.zero(address, byteCount)
  }

  public func copy(from other: Tensor) {
    precondition(other.count == count && other.type == type)
    buffer.device.copy(address, from: other.address, byteCount)
  }
}

/// A view of a matrix: contiguous rows at a stride.
public struct Matrix: @unchecked Sendable {
  public let buffer: Buffer
  /// The place of the first element within the buffer, and the distance between rows, in elements.
  public let offset: Int
  public let rows, columns, stride: Int
  public let type: ElementType

  public init(buffer: Buffer, offset: Int, rows: Int, columns: Int, stride: Int, type: ElementType = .float32) {
    precondition(
      rows == 0 || (offset + (rows - 1) * stride + columns) * type.byteCount <= buffer.byteCount,
      "matrix exceeds its buffer")
    self.buffer = buffer
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.type = type
  }

  /// The first element of an FP32 matrix.
  public var pointer: UnsafeMutablePointer<Float> {
    precondition(type == .float32)
    return buffer.pointer.assumingMemoryBound(to: Float.self) + offset
  }

  /// The first element of a bf16 matrix.
  public var bfloat16Pointer: UnsafeMutablePointer<UInt16> {
    precondition(type == .bfloat16)
    return buffer.pointer.assumingMemoryBound(to: UInt16.self) + offset
  }

  var byteCount: Int { rows * columns * type.byteCount }

  /// The first element, whatever its type, for the host's processors.
  var start: UnsafeMutableRawPointer { buffer.pointer + offset * type.byteCount }

  /// The first element, as the device counts addresses.
  var address: UnsafeMutableRawPointer { buffer.address + offset * type.byteCount }

  public func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Matrix(
      buffer: buffer, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride,
      type: type)
  }

  public func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return Matrix(
      buffer: buffer, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride, type: type)
  }

  public subscript(row: Int, column: Int) -> Float {
    get { pointer[row * stride + column] }
    nonmutating set { pointer[row * stride + column] = newValue }
  }
}
