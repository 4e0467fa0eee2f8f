/// How CF conventions pack numbers: value = stored·scale_factor + add_offset, with marks for missing values (CF 1.11, §8.1).
public struct CFPacking: Sendable, Equatable {
  public let scale, offset: Double
  /// Stored numbers that mean "missing".
  public let missing: [Double]

  public init(_ attributes: [String: AttributeValue]) {
    scale = attributes["scale_factor"]?.number ?? 1
    offset = attributes["add_offset"]?.number ?? 0
    var missing: [Double] = []
    for name in ["_FillValue", "missing_value"] {
      if case .numbers(let values)? = attributes[name] { missing += values.filter { !$0.isNaN } }
    }
    self.missing = missing
  }

  public var isPlain: Bool { scale == 1 && offset == 0 && missing.isEmpty }

  /// Unpacks in double, rounds once to FP32; missing values become NaN.
  public func unpack(_ raw: RawArray, into out: UnsafeMutableBufferPointer<Float>) {
    precondition(out.count == raw.count)
    raw.bytes.withUnsafeBytes {
      guard let start = $0.baseAddress, let out = out.baseAddress else { return }
      unpack(start, raw.type, rows: (1, 0), columns: (raw.count, 1), into: out)
    }
  }

  /// The same for rows and columns of stored numbers at strides, to rows side by side.
  public func unpack(
    _ start: UnsafeRawPointer, _ type: ScalarType, rows: (count: Int, stride: Int), columns: (count: Int, stride: Int),
    into out: UnsafeMutablePointer<Float>
  ) {
    if isPlain, type == .float32, columns.stride == 1 {
      for row in 0..<rows.count {
        UnsafeMutableRawPointer(out + row * columns.count).copyMemory(
          from: start + row * rows.stride * type.byteCount, byteCount: columns.count * type.byteCount)
      }
      return
    }
    func unpack<T>(_: T.Type, _ asRead: (Double) -> Double, _ number: (UnsafeRawPointer) -> Double) {
      // A mark may be given with more digits than the numbers have.
      let missing = missing.map(asRead)
      for row in 0..<rows.count {
        let line = start + row * rows.stride * MemoryLayout<T>.size
        for column in 0..<columns.count {
          let stored = number(line + column * columns.stride * MemoryLayout<T>.size)
          out[row * columns.count + column] = missing.contains(stored) ? .nan : Float(stored * scale + offset)
        }
      }
    }
    @inline(__always) func whole<T: FixedWidthInteger>(_ type: T.Type) {
      unpack(type, { $0 }) { Double($0.loadUnaligned(as: T.self)) }
    }
    @inline(__always) func real<T: BinaryFloatingPoint>(_ type: T.Type) {
      unpack(type, { Double(T($0)) }) { Double($0.loadUnaligned(as: T.self)) }
    }
    switch type {
    case .int8: whole(Int8.self)
    case .uint8: whole(UInt8.self)
    case .int16: whole(Int16.self)
    case .uint16: whole(UInt16.self)
    case .int32: whole(Int32.self)
    case .uint32: whole(UInt32.self)
    case .int64: whole(Int64.self)
    case .uint64: whole(UInt64.self)
    case .float16: real(Float16.self)
    case .float32: real(Float.self)
    case .float64: real(Double.self)
    }
  }
}
