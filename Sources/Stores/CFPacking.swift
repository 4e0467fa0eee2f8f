import Basics

/// How CF conventions and netCDF pack numbers: value = stored·scale_factor + add_offset, with marks for missing values (CF 1.11,
/// §8.1), a range of valid values and integers of the other sign than their type's (NetCDF User's Guide: "valid_range",
/// "_Unsigned"). What these attributes say is either honoured or refused.
public struct CFPacking: Sendable, Equatable {
  public let scale, offset: Double
  /// Stored numbers that mean "missing".
  public let missing: [Double]
  /// The valid values, unpacked; those outside are missing.
  public let valid: ClosedRange<Float>?
  /// Whether stored integers are unsigned though their type is signed, or signed though it is unsigned.
  public let flipsSign: Bool
  /// Sentences for people: which values are taken as missing by a range or by an attribute of the whole dataset.
  public let remarks: [String]

  /// Numbers that are what they are.
  public static let plain = CFPacking(scale: 1, offset: 0, missing: [], valid: nil, flipsSign: false, remarks: [])

  private init(
    scale: Double, offset: Double, missing: [Double], valid: ClosedRange<Float>?, flipsSign: Bool, remarks: [String]
  ) {
    (self.scale, self.offset, self.missing, self.valid) = (scale, offset, missing, valid)
    (self.flipsSign, self.remarks) = (flipsSign, remarks)
  }

  /// - Parameters:
  ///   - datasetWide: attributes of the dataset, whose `missing_value` and `_FillValue` hold for all its arrays.
  ///   - location: of the store, for errors.
  /// - Throws: naming the attribute that can't be understood.
  public init(_ array: ArrayInfo, datasetWide: [String: AttributeValue] = [:], location: String) throws {
    let reader = PackingAttributes(array: array, location: location)
    scale = try reader.factor("scale_factor") ?? 1
    offset = try reader.factor("add_offset") ?? 0
    flipsSign = try reader.flipsSign()
    var missing = try reader.marks("_FillValue") + reader.marks("missing_value")
    var remarks: [String] = []
    for name in ["_FillValue", "missing_value"] {
      let marks = PackingAttributes.wideMarks(datasetWide[name]).filter { !missing.contains($0) }
      if marks.isEmpty { continue }
      missing += marks
      remarks.append("\(marks.map { "\($0)" }.joined(separator: ", ")) is missing (\(name) of the dataset)")
    }
    if flipsSign { missing = missing.map { array.type.otherSign($0) } }
    self.missing = missing
    valid = try reader.validRange(scale: scale, offset: offset, flipsSign: flipsSign)
    if let valid {
      remarks.append("values outside \(valid.lowerBound) … \(valid.upperBound) are missing (valid range)")
    }
    self.remarks = remarks
  }

  public var isPlain: Bool { scale == 1 && offset == 0 && missing.isEmpty && valid == nil && !flipsSign }

  /// The type as which stored numbers are read.
  func read(_ type: ScalarType) -> ScalarType { flipsSign ? type.withOtherSign : type }

  /// Marks as numbers of a type: one may be given with more digits than the numbers have.
  private func marks(_ type: ScalarType) -> [Double] {
    switch type {
    case .float16: missing.map { Double(Float16($0)) }
    case .float32: missing.map { Double(Float($0)) }
    default: missing
    }
  }

  /// Unpacks in double; missing values become NaN. Values outside the valid range stay.
  public func doubles(_ raw: RawArray) -> [Double] {
    let marks = marks(raw.type)
    return RawArray(type: read(raw.type), bytes: raw.bytes).doubles.map {
      marks.contains($0) ? .nan : $0 * scale + offset
    }
  }

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
    let missing = marks(type)
    func unpack<T>(_: T.Type, _ number: (UnsafeRawPointer) -> Double) {
      for row in 0..<rows.count {
        let line = start + row * rows.stride * MemoryLayout<T>.size
        for column in 0..<columns.count {
          let stored = number(line + column * columns.stride * MemoryLayout<T>.size)
          out[row * columns.count + column] = missing.contains(stored) ? .nan : Float(stored * scale + offset)
        }
      }
    }
    @inline(__always) func whole<T: FixedWidthInteger>(_ type: T.Type) {
      unpack(type) { Double($0.loadUnaligned(as: T.self)) }
    }
    @inline(__always) func real<T: BinaryFloatingPoint>(_ type: T.Type) {
      unpack(type) { Double($0.loadUnaligned(as: T.self)) }
    }
    switch read(type) {
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
    guard let valid else { return }
    for i in 0..<rows.count * columns.count where out[i] < valid.lowerBound || out[i] > valid.upperBound {
      out[i] = .nan
    }
  }
}

extension ArrayStore {
  /// How an array's numbers are packed.
  /// - Throws: naming the attribute that can't be understood.
  public func packing(of array: ArrayInfo) throws -> CFPacking {
    try CFPacking(array, datasetWide: attributes, location: location)
  }

  /// The whole of a coordinate, unpacked (`readSmall`). Whole numbers stay as they are where nothing scales them: times in
  /// nanoseconds have more digits than doubles.
  ///
  /// - Throws: also when a number is marked as missing.
  public func readCoordinate(_ name: String, atMost limit: Int) throws -> RawArray {
    let info = try info(name)
    let packing = try CFPacking(info, location: location)
    let raw = try readSmall(name, atMost: limit)
    if packing.isPlain { return raw }
    var values = packing.doubles(raw)
    if let index = values.firstIndex(where: \.isNaN) {
      throw JigsawError(
        "\(location): \(name)", "has coordinates that are not numbers", found: "a missing one at index \(index)",
        remedy: info.dimensions.count < 2
          ? "the store was not written completely, or its _FillValue or missing_value is wrong"
          : "leave points without a place out, with xarray: ds.stack(point=[\(info.dimensionNames.map { "'\($0)'" }.joined(separator: ", "))])"
            + ".reset_index('point').dropna('point', subset=['\(name)'])")
    }
    if packing.scale == 1, packing.offset == 0 { return RawArray(type: packing.read(raw.type), bytes: raw.bytes) }
    // 8500 times 0.1 in single precision is 850 and not 850.0000127. Times may need more digits.
    let isTime = info.units?.contains(" since ") ?? false
    if !isTime, [packing.scale, packing.offset].allSatisfy({ Double(Float($0)) == $0 }) {
      values = values.map { Double(Float($0)) }
    }
    return RawArray(type: .float64, bytes: values.withUnsafeBytes { Array($0) })
  }
}
