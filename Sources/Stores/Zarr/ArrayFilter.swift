import Basics

/// A filter of numcodecs: a codec from numbers to numbers, before they become bytes. Names, settings and arithmetic are those of
/// numcodecs, so that decoding gives the same bits.
struct ArrayFilter: Sendable {
  let name: String
  /// The types of the numbers before and after encoding.
  let decoded, encoded: ScalarType
  private let operation: Operation

  private enum Operation: Sendable {
    /// Nothing to undo but a change of type.
    case cast
    /// Differences of neighbours in what is stored.
    case delta
    /// encoded = (decoded - offset)·scale, rounded
    case scaleOffset(scale: Double, offset: Double)
    /// Eight truth values in a byte, after one that says how many bits of the last are none.
    case packBits
  }

  /// Nil when there is no such filter, or its settings are unusable.
  init?(_ name: String, _ settings: JSONValue, decoded: ScalarType) {
    func type(_ key: String, or standard: ScalarType?) -> ScalarType? {
      guard let given = settings[key], given != .null else { return standard }
      return given.string.flatMap { ScalarType(rawValue: $0) ?? ZarrMetadata.type($0)?.type }
    }
    self.name = name
    self.decoded = decoded
    guard type(name == "astype" ? "decode_dtype" : "dtype", or: decoded) == decoded,
      let encoded = type(name == "astype" ? "encode_dtype" : "astype", or: decoded)
    else { return nil }
    switch name {
    case "delta": operation = .delta
    case "fixedscaleoffset":
      guard let scale = settings["scale"]?.double, let offset = settings["offset"]?.double else { return nil }
      operation = .scaleOffset(scale: scale, offset: offset)
    case "quantize", "astype": operation = .cast
    case "bitround":
      self.encoded = decoded
      operation = .cast
      return
    case "packbits":
      guard decoded == .uint8 else { return nil }
      self.encoded = .uint8
      operation = .packBits
      return
    default: return nil
    }
    self.encoded = encoded
  }

  /// Whether another number of numbers comes out than goes in: no filter can follow.
  var packsBits: Bool { if case .packBits = operation { true } else { false } }

  /// The encoded bytes of a chunk of `count` numbers.
  func encodedByteCount(_ count: Int) -> Int {
    if case .packBits = operation { return 1 + (count + 7) / 8 }
    return count * encoded.byteCount
  }

  /// - Parameter bytes: encoded numbers, native byte order, as many as `encodedByteCount` says.
  /// - Returns: `count` numbers.
  func decode(_ bytes: [UInt8], count: Int) -> [UInt8] {
    precondition(bytes.count == encodedByteCount(count))
    switch operation {
    case .packBits: return (0..<count).map { bytes[1 + $0 / 8] >> (7 - UInt8($0 % 8)) & 1 }
    case .cast:
      return map(bytes) {
        $0
      } real: {
        $0
      }
    case .delta:
      var numbers = map(bytes) {
        $0
      } real: {
        $0
      }
      accumulate(&numbers)
      return numbers
    case .scaleOffset(let scale, let offset):
      // In the type that NumPy takes for it.
      switch encoded {
      case .float16:
        return map(bytes, whole: nil) { Double(Float16($0) / Float16(scale) + Float16(offset)) }
      case .float32: return map(bytes, whole: nil) { Double(Float($0) / Float(scale) + Float(offset)) }
      default: return map(bytes, whole: nil) { $0 / scale + offset }
      }
    }
  }

  // MARK: Elements

  /// Decodes each encoded number: whole numbers by `whole`, the others, and all if that is nil, by `real`.
  private func map(_ bytes: [UInt8], whole: ((Int64) -> Int64)?, real: (Double) -> Double) -> [UInt8] {
    let count = bytes.count / encoded.byteCount
    var result = [UInt8](repeating: 0, count: count * decoded.byteCount)
    let numbers = RawArray(type: encoded, bytes: bytes)
    let isWhole = !encoded.isFloatingPoint && whole != nil
    result.withUnsafeMutableBytes { out in
      bytes.withUnsafeBytes { raw in
        for i in 0..<count {
          if isWhole {
            store(whole!(integer(raw, i)), out, i)
          } else {
            store(numbers.element(raw, i), real, out, i)
          }
        }
      }
    }
    return result
  }

  /// Unsigned 64-bit numbers by their bits.
  private func integer(_ raw: UnsafeRawBufferPointer, _ i: Int) -> Int64 {
    func load<T: FixedWidthInteger>(_ type: T.Type) -> Int64 {
      Int64(truncatingIfNeeded: raw.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: type))
    }
    return switch encoded {
    case .int8: load(Int8.self)
    case .uint8: load(UInt8.self)
    case .int16: load(Int16.self)
    case .uint16: load(UInt16.self)
    case .int32: load(Int32.self)
    case .uint32: load(UInt32.self)
    default: load(Int64.self)
    }
  }

  private func store(_ value: Int64, _ out: UnsafeMutableRawBufferPointer, _ i: Int) {
    let isLong = encoded == .uint64
    switch decoded {
    case .float16:
      out.storeBytes(
        of: isLong ? Float16(UInt64(bitPattern: value)) : Float16(value), toByteOffset: 2 * i, as: Float16.self)
    case .float32:
      out.storeBytes(of: isLong ? Float(UInt64(bitPattern: value)) : Float(value), toByteOffset: 4 * i, as: Float.self)
    case .float64:
      out.storeBytes(
        of: isLong ? Double(UInt64(bitPattern: value)) : Double(value), toByteOffset: 8 * i, as: Double.self)
    default:
      let width = decoded.byteCount
      withUnsafeBytes(of: value.littleEndian) {
        UnsafeMutableRawBufferPointer(rebasing: out[i * width..<(i + 1) * width]).copyBytes(from: $0[..<width])
      }
    }
  }

  private func store(_ value: Double, _ change: (Double) -> Double, _ out: UnsafeMutableRawBufferPointer, _ i: Int) {
    let value = change(value)
    switch decoded {
    case .float16: out.storeBytes(of: Float16(value), toByteOffset: 2 * i, as: Float16.self)
    case .float32: out.storeBytes(of: Float(value), toByteOffset: 4 * i, as: Float.self)
    case .float64: out.storeBytes(of: value, toByteOffset: 8 * i, as: Double.self)
    default:
      let whole = value.rounded(.towardZero)
      let bits = Int64(exactly: whole) ?? UInt64(exactly: whole).map { Int64(bitPattern: $0) } ?? .min
      let width = decoded.byteCount
      withUnsafeBytes(of: bits.littleEndian) {
        UnsafeMutableRawBufferPointer(rebasing: out[i * width..<(i + 1) * width]).copyBytes(from: $0[..<width])
      }
    }
  }

  /// Sums from the first number on, in the type of the numbers.
  private func accumulate(_ bytes: inout [UInt8]) {
    func sum<T>(_ type: T.Type, _ add: (T, T) -> T) {
      bytes.withUnsafeMutableBytes { raw in
        let width = MemoryLayout<T>.size
        for start in stride(from: width, to: raw.count, by: width) {
          let before = raw.loadUnaligned(fromByteOffset: start - width, as: type)
          let own = raw.loadUnaligned(fromByteOffset: start, as: type)
          raw.storeBytes(of: add(before, own), toByteOffset: start, as: type)
        }
      }
    }
    switch decoded {
    case .float16: sum(Float16.self, +)
    case .float32: sum(Float.self, +)
    case .float64: sum(Double.self, +)
    case .int8, .uint8: sum(UInt8.self, &+)
    case .int16, .uint16: sum(UInt16.self, &+)
    case .int32, .uint32: sum(UInt32.self, &+)
    case .int64, .uint64: sum(UInt64.self, &+)
    }
  }
}

extension ChunkPipeline {
  /// Decodes what is wanted of a chunk whose numbers went through filters.
  func decodeFiltered(
    _ source: Source, _ wanted: Wanted, _ filters: Filters, _ scratch: ReadingScratch
  ) throws -> Bool {
    guard let stored = try source.read(nil, scratch.stored) else { return false }
    // Never more than this comes out of a codec that is sound.
    let byteCount = filters.list.last?.encodedByteCount(count) ?? 0
    var bytes = try Array(decompressed(stored.bytes, limit: byteCount, scratch))
    guard bytes.count == byteCount else { throw Damage(expected: "\(byteCount) bytes from \(description)") }
    wanted.decoded()
    if filters.isBigEndian, let type = filters.list.last?.encoded {
      bytes.withUnsafeMutableBytes {
        if let start = $0.baseAddress { swapBytes(start, count: $0.count / type.byteCount, width: type.byteCount) }
      }
    }
    for filter in filters.list.reversed() { bytes = filter.decode(bytes, count: count) }
    let strides = Stores.strides(storedShape, isFortranOrder: false)
    let first = zip(wanted.box, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }
    bytes.withUnsafeBytes {
      if let start = $0.baseAddress { wanted.give(wanted.box, at: start + first * wanted.width, strides: strides) }
    }
    return true
  }
}
