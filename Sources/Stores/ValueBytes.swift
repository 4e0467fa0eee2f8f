import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// The bytes of a value, of which some are looked at.
public protocol ValueBytes {
  /// The length of the whole value.
  var length: Int { get }

  /// Some bytes, valid until the memory is used for something else; those behind the value's end are left out.
  ///
  /// - Parameter memory: where they are put, unless they lie in memory anyway.
  /// - Throws: where they can't be read.
  func bytes(_ range: Range<Int>, _ memory: RawBytes) throws -> UnsafeRawBufferPointer
}

/// Bytes in memory.
struct HeldBytes: ValueBytes {
  let held: UnsafeRawBufferPointer

  init(_ held: UnsafeRawBufferPointer) { self.held = held }

  var length: Int { held.count }

  func bytes(_ range: Range<Int>, _ memory: RawBytes) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: held[range.clamped(to: 0..<held.count)])
  }
}

/// The bytes of an open file; each range is read on request.
final class FileBytes: ValueBytes {
  let length: Int
  private let descriptor: Int32
  private let path: String

  /// Nil where there is no such file.
  init?(_ path: String) throws {
    guard let file = try Files.openIfPresent(path) else { return nil }
    (descriptor, length) = file
    self.path = path
  }

  deinit { close(descriptor) }

  func bytes(_ range: Range<Int>, _ memory: RawBytes) throws -> UnsafeRawBufferPointer {
    let range = range.clamped(to: 0..<length)
    let start = memory.reserve(max(1, range.count))
    return UnsafeRawBufferPointer(start: start, count: try Files.read(descriptor, range, into: start, path))
  }
}

/// Bytes in memory that count the bytes requested.
struct CountedBytes: ValueBytes {
  let base: any ValueBytes
  let counter: ReadCounter

  var length: Int { base.length }

  func bytes(_ range: Range<Int>, _ memory: RawBytes) throws -> UnsafeRawBufferPointer {
    let found = try base.bytes(range, memory)
    counter.count(bytes: found.count)
    return found
  }
}
