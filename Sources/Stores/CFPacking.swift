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
    if isPlain && raw.type == .float32 {
      raw.bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(out).copyMemory(from: $0) }
      return
    }
    switch raw.type {
    case .int16: unpack(raw, Int16.self, out)
    case .float16: unpack(raw, Float16.self, out)
    case .float32: unpack(raw, Float.self, out)
    default: raw.forEach { out[$0] = value($1, missing) }
    }
  }

  @inline(__always)
  private func value(_ stored: Double, _ missing: [Double]) -> Float {
    missing.contains(stored) ? .nan : Float(stored * scale + offset)
  }

  /// The common types without a switch per element.
  private func unpack<T: BinaryFloatingPoint>(_ raw: RawArray, _: T.Type, _ out: UnsafeMutableBufferPointer<Float>) {
    // A mark may be given with more digits than the numbers have.
    let missing = missing.map { Double(T($0)) }
    raw.bytes.withUnsafeBytes { bytes in
      for i in 0..<out.count {
        out[i] = value(Double(bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.stride, as: T.self)), missing)
      }
    }
  }

  private func unpack<T: FixedWidthInteger>(_ raw: RawArray, _: T.Type, _ out: UnsafeMutableBufferPointer<Float>) {
    raw.bytes.withUnsafeBytes { bytes in
      for i in 0..<out.count {
        out[i] = value(Double(bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.stride, as: T.self)), missing)
      }
    }
  }
}
