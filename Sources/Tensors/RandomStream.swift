import CKernels

#if canImport(Glibc)
  import Glibc
#endif

/// Counter-based random numbers (Philox-4x32-10, Salmon et al. 2011): each number is a function of seed, name, step and
/// its global (row, column), so that no distribution over threads or ranks changes it.
public struct RandomStream: Sendable {
  var stream: jk_stream

  public init(seed: UInt64, name: String, step: UInt64 = 0) {
    let key = RandomStream.mix(seed &+ 0x9E37_79B9_7F4A_7C15) ^ RandomStream.hash(name)
    stream = jk_stream(key: (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32)), step: step)
  }

  /// FNV-1a, 64 bits: Swift's own hashes change from run to run.
  static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// The finaliser of SplitMix64.
  static func mix(_ x: UInt64) -> UInt64 {
    var z = x
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// 32 random bits at (row, column).
  public func bits(row: Int, column: Int) -> UInt32 {
    let words = block(row: row, column / 4)
    return words[column % 4]
  }

  private func block(row: Int, _ block: Int) -> SIMD4<UInt32> {
    var words = SIMD4<UInt32>()
    withUnsafeMutableBytes(of: &words) { words in
      guard let out = words.assumingMemoryBound(to: UInt32.self).baseAddress else { return }
      withUnsafePointer(to: stream) { jk_philox($0, UInt64(row), UInt64(block), out) }
    }
    return words
  }

  /// A whole number in 0 ..< bound, from the 64 bits at columns 2·index and 2·index + 1 of row 0.
  public func integer(below bound: Int, index: Int) -> Int {
    let words = block(row: 0, index / 2)
    let pair = index % 2 * 2
    let bits = UInt64(words[pair]) << 32 | UInt64(words[pair + 1])
    return Int(bits.multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// Uniform in [-bound, bound) at `columns` of `row`, into `out`.
  public func fillUniform(
    _ out: UnsafeMutableBufferPointer<Float>, bound: Float, row: Int, columns: Range<Int>
  ) {
    fill(out, row: row, columns: columns) { words, k in (Float(words[k] >> 8) * 0x1p-23 - 1) * bound }
  }

  /// Normal with mean 0 and the given deviation (Box–Muller on the pairs of a block).
  public func fillNormal(
    _ out: UnsafeMutableBufferPointer<Float>, deviation: Float, row: Int, columns: Range<Int>
  ) {
    fill(out, row: row, columns: columns) { words, k in
      let pair = k / 2 * 2
      let u = (Double(words[pair]) + 1) * 0x1p-32
      let angle = 2 * Double.pi * Double(words[pair + 1]) * 0x1p-32
      return Float((-2 * log(u)).squareRoot() * (k % 2 == 0 ? cos(angle) : sin(angle))) * deviation
    }
  }

  private func fill(
    _ out: UnsafeMutableBufferPointer<Float>, row: Int, columns: Range<Int>, value: (SIMD4<UInt32>, Int) -> Float
  ) {
    precondition(out.count == columns.count)
    var column = columns.lowerBound
    while column < columns.upperBound {
      let words = block(row: row, column / 4)
      repeat {
        out[column - columns.lowerBound] = value(words, column % 4)
        column += 1
      } while column % 4 != 0 && column < columns.upperBound
    }
  }

  /// Calls `body` with the stream as kernels want it.
  public func withStream<R>(_ body: (UnsafePointer<jk_stream>) -> R) -> R {
    withUnsafePointer(to: stream, body)
  }
}
