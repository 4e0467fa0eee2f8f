import CKernels
import CLZ4
import CZstd

/// The blocks of a c-blosc container with byte shuffle, decoded stream by stream: a stream holds one byte of every number of a
/// block. A block's streams are decompressed once, and only the numbers that are wanted are put together from them, straight to
/// where they go; `blosc_getitem` puts whole blocks together and copies a part of them.
///
/// Source: the header and block format of c-blosc 1 (README_CHUNK_FORMAT.rst), compressors lz4 and zstd.
final class BloscStreams: PiecewiseBytes {
  let byteCount: Int
  let elementSize: Int
  /// Decoding can begin at any number; multiples of this let few calls put many together.
  let blockSize = 32 << 10

  private enum Compressor { case lz4, zstd }

  private let input: any ValueBytes
  private let compressor: Compressor
  /// Bytes of a number, as the container has it, and of its blocks.
  private let width, containerBlockSize: Int
  private let mayBeSplit: Bool
  /// Memory for the decompressed streams of a block.
  private let decompressed: UnsafeMutablePointer<UInt8>
  /// Memory for what is read of the container, and for numbers' bytes of streams that are stored as they are.
  private let memory = RawBytes()
  private let plain: [RawBytes]
  /// The streams of the block `decodedBlock`, one for each byte of a number.
  private var streams: [Stream] = []
  private var decodedBlock = -1

  /// The bytes of a block's numbers.
  private enum Stream {
    case decompressed(UnsafePointer<UInt8>)
    /// From this place in the container on.
    case stored(Int)
  }

  private static let headerByteCount = 16
  /// c-blosc splits no blocks of larger elements, nor of fewer of them.
  private static let mostStreams = 16
  private static let fewestElements = 128

  /// Nil for other compressors, filters and lengths, and where the header is damaged.
  ///
  /// - Throws: where the container can't be read.
  init?(_ input: any ValueBytes, byteCount expected: Int, elementSize: Int) throws {
    let header = try input.bytes(0..<BloscStreams.headerByteCount, memory)
    guard header.count == BloscStreams.headerByteCount, header[0] == 2 else { return nil }
    let (flags, width) = (header[2], Int(header[3]))
    let (length, block, stored) = (header.int32(4), header.int32(8), header.int32(12))
    let isShuffled = flags & 1 != 0
    let isPlainOrBits = flags & 2 != 0 || flags & 4 != 0
    guard isShuffled, !isPlainOrBits, stored == input.length, length == expected, length > 0, block > 0,
      block <= length, [2, 4, 8].contains(width), width == elementSize, length % width == 0, block % width == 0
    else { return nil }
    let blocks = (length - 1) / block + 1
    guard blocks <= (stored - BloscStreams.headerByteCount) / 4 else { return nil }
    switch flags >> 5 {
    case 1: compressor = .lz4
    case 4: compressor = .zstd
    default: return nil
    }
    self.input = input
    self.elementSize = elementSize
    self.width = width
    byteCount = length
    containerBlockSize = block
    mayBeSplit = flags & 0x10 == 0 && width <= BloscStreams.mostStreams && block / width >= BloscStreams.fewestElements
    plain = (0..<width).map { _ in RawBytes() }
    decompressed = .allocate(capacity: block)
  }

  deinit { decompressed.deallocate() }

  func decode(_ range: Range<Int>, into out: UnsafeMutableRawPointer) throws -> Bool {
    var (position, out) = (range.lowerBound, out.assumingMemoryBound(to: UInt8.self))
    while position < range.upperBound {
      let block = position / containerBlockSize
      let start = block * containerBlockSize
      let size = min(containerBlockSize, byteCount - start)
      if block != decodedBlock {
        guard try decompress(block, byteCount: size) else { return false }
        decodedBlock = block
      }
      let end = min(range.upperBound, start + size)
      let numbers = (position - start) / width..<(end - start) / width
      guard let bytes = try bytes(numbers) else { return false }
      jk_current().pointee.unshuffle(bytes, width, 0, numbers.count, out)
      out += end - position
      position = end
    }
    return true
  }

  /// The bytes of some of the block's numbers, stream by stream. Nil where the container has been cut short meanwhile.
  private func bytes(_ numbers: Range<Int>) throws -> [UnsafePointer<UInt8>?]? {
    var found: [UnsafePointer<UInt8>?] = []
    for (stream, own) in zip(streams, plain) {
      switch stream {
      case .decompressed(let content): found.append(content + numbers.lowerBound)
      case .stored(let start):
        let content = try input.bytes(start + numbers.lowerBound..<start + numbers.upperBound, own)
        guard content.count == numbers.count, let first = content.baseAddress else { return nil }
        found.append(first.assumingMemoryBound(to: UInt8.self))
      }
    }
    return found
  }

  func finish() -> Bool { true }

  /// - Returns: false when the block is damaged.
  private func decompress(_ block: Int, byteCount size: Int) throws -> Bool {
    decodedBlock = -1
    streams = []
    let isSplit = mayBeSplit && size == containerBlockSize
    let (count, length) = (isSplit ? width : 1, isSplit ? size / width : size)
    let entry = BloscStreams.headerByteCount + 4 * block
    let place = try input.bytes(entry..<entry + 4, memory)
    guard place.count == 4 else { return false }
    var position = place.int32(0)
    for stream in 0..<count {
      guard position >= BloscStreams.headerByteCount, position <= input.length - 4 else { return false }
      let prefix = try input.bytes(position..<position + 4, memory)
      guard prefix.count == 4 else { return false }
      let stored = prefix.int32(0)
      position += 4
      guard stored > 0, stored <= input.length - position else { return false }
      // The bytes of numbers that this stream has: those at one place of each number, or all.
      let parts = isSplit ? 1 : width
      if stored == length {
        streams += (0..<parts).map { .stored(position + $0 * (length / width)) }
      } else {
        let out = decompressed + stream * length
        let bytes = try input.bytes(position..<position + stored, memory)
        guard bytes.count == stored, let start = bytes.baseAddress, decompress(start, stored, to: out, length) else {
          return false
        }
        streams += (0..<parts).map { .decompressed(out + $0 * (length / width)) }
      }
      position += stored
    }
    return true
  }

  private func decompress(_ source: UnsafeRawPointer, _ count: Int, to out: UnsafeMutablePointer<UInt8>, _ length: Int)
    -> Bool
  {
    switch compressor {
    case .lz4:
      return out.withMemoryRebound(to: CChar.self, capacity: length) {
        Int(LZ4_decompress_safe(source.assumingMemoryBound(to: CChar.self), $0, Int32(count), Int32(length)))
      } == length
    case .zstd: return ZSTD_decompress(out, length, source, count) == length
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Four bytes as a whole number, the least first.
  fileprivate func int32(_ offset: Int) -> Int {
    Int(Int32(littleEndian: loadUnaligned(fromByteOffset: offset, as: Int32.self)))
  }
}
